package commands

import (
	"strings"

	"conclave/resp/command"
)

func (r *room) infoSpecs() []command.Spec {
	sections := r.sections()
	return []command.Spec{{
		Name: "info", Arity: -1, Flags: command.Loading | command.Stale, ACL: command.CatDangerous, Group: "server", Since: "1.0.0", Cost: "O(1)",
		Doc: "Facts and figures of the server, by section.", Args: "[section [section ...]]",
		Tips: []string{"nondeterministic_output", "request_policy:all_shards", "response_policy:special"},
		Run: func(c *command.Ctx) {
			wanted := make([]string, 0, len(c.Args)-1)
			for _, a := range c.Args[1:] {
				wanted = append(wanted, strings.ToLower(string(a)))
			}
			c.Verbatim("txt", string(renderInfo(sections, wanted)))
		},
	}}
}

// sections are this package's, with those of other rooms in their places.
func (r *room) sections() []command.InfoSection {
	all := []command.InfoSection{
		{Name: "server", Write: r.infoServer},
		{Name: "clients", Write: r.infoClients},
		{Name: "memory", Write: r.infoMemory},
		{Name: "persistence", Write: r.infoPersistence},
		{Name: "stats", Write: r.infoStats},
		{Name: "replication", Write: r.infoReplication},
		{Name: "cpu", Title: "CPU", Write: infoCPU},
		{Name: "modules", Write: func(b []byte) []byte { return b }},
		{Name: "commandstats", Extra: true, Write: r.infoCommandstats},
		{Name: "errorstats", Write: r.infoErrorstats},
		{Name: "latencystats", Extra: true, Write: r.infoLatencystats},
		{Name: "cluster", Write: r.infoCluster},
	}
	keyspace := command.InfoSection{Name: "keyspace", Write: func(b []byte) []byte { return b }}
next:
	for _, s := range r.Sections {
		if s.Name == "keyspace" {
			keyspace = s
			continue
		}
		for i := range all {
			if all[i].Name == s.Name {
				all[i] = s
				continue next
			}
		}
		all = append(all, s)
	}
	// Keyspace stays last: redis-cli and people look for it there.
	return append(all, keyspace)
}

// renderInfo prints the wanted sections in their order: "default" (also for an
// empty list), "all", "everything", or names. Unknown names add nothing.
func renderInfo(sections []command.InfoSection, wanted []string) []byte {
	if len(wanted) == 0 {
		wanted = []string{"default"}
	}
	names := make(map[string]bool, len(wanted))
	for _, w := range wanted {
		names[w] = true
	}
	all := names["all"] || names["everything"]
	b := make([]byte, 0, 4096)
	for _, s := range sections {
		if !all && !names[s.Name] && (!names["default"] || s.Extra) {
			continue
		}
		if len(b) > 0 {
			b = append(b, "\r\n"...)
		}
		title := s.Title
		if title == "" {
			title = strings.ToUpper(s.Name[:1]) + s.Name[1:]
		}
		b = append(b, "# "...)
		b = append(b, title...)
		b = append(b, "\r\n"...)
		b = s.Write(b)
	}
	return b
}
