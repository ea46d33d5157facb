package commands

import (
	"strings"

	"conclave/resp/command"
)

// adminFlags are the flags most commands of this package share.
const adminFlags = command.Admin | command.NoScript | command.Loading | command.Stale

// helpSpec is the HELP subcommand of a container.
func helpSpec(since string, acl command.Categories, run command.Handler) command.Spec {
	return command.Spec{Name: "help", Arity: 2, Flags: command.Loading | command.Stale, ACL: acl, Group: "server", Since: since, Cost: "O(1)",
		Doc: "Describes the subcommands.", Run: run}
}

func (r *room) configSpecs() []command.Spec {
	if r.Directives == nil {
		return nil
	}
	return []command.Spec{{
		Name: "config", Arity: -2, Group: "server", Since: "2.0.0", Cost: "Depends on subcommand.", Doc: "A container for configuration commands.",
		Sub: []command.Spec{
			{Name: "get", Arity: -3, Flags: adminFlags, Group: "server", Since: "2.0.0", Cost: "O(N) where N is the number of directives",
				Doc: "Directives that match the patterns, with their values.", Args: "parameter [parameter ...]", Run: r.configGet},
			{Name: "set", Arity: -4, Flags: adminFlags | command.Detached, Group: "server", Since: "2.0.0", Cost: "O(N) where N is the number of directives",
				Doc: "Sets directives: all of them or none.", Args: "parameter value [parameter value ...]", Run: r.configSet,
				Tips: []string{"request_policy:all_nodes", "response_policy:all_succeeded"}},
			{Name: "rewrite", Arity: 2, Flags: adminFlags, Group: "server", Since: "2.8.0", Cost: "O(1)",
				Doc: "Writes the configuration to the file it was read from.", Run: r.configRewrite,
				Tips: []string{"request_policy:all_nodes", "response_policy:all_succeeded"}},
			{Name: "resetstat", Arity: 2, Flags: adminFlags, Group: "server", Since: "2.0.0", Cost: "O(1)",
				Doc: "Sets the statistics to zero.", Run: r.configResetStat,
				Tips: []string{"request_policy:all_nodes", "response_policy:all_succeeded"}},
			helpSpec("5.0.0", 0, configHelp),
		},
	}}
}

func configHelp(c *command.Ctx) {
	help(c, "CONFIG",
		"GET <pattern> [<pattern> ...]",
		"    Return the directives that match the glob-like patterns, with their values.",
		"SET <directive> <value> [<directive> <value> ...]",
		"    Set the directives: all of them or none.",
		"RESETSTAT",
		"    Reset the statistics that INFO reports.",
		"REWRITE",
		"    Write the configuration back to its file.")
}

func (r *room) configGet(c *command.Ctx) {
	var found []Pair
	seen := make(map[string]bool)
	for _, pattern := range c.Args[2:] {
		for _, p := range r.Directives.Match(string(pattern)) {
			if name := strings.ToLower(p[0]); !seen[name] {
				seen[name] = true
				found = append(found, p)
			}
		}
	}
	c.Map(len(found))
	for _, p := range found {
		c.BulkString(p[0])
		c.BulkString(p[1])
	}
}

func (r *room) configSet(c *command.Ctx) {
	if len(c.Args)%2 != 0 {
		c.Error(command.ErrSyntax)
		return
	}
	pairs := make([]Pair, 0, len(c.Args)/2-1)
	for i := 2; i < len(c.Args); i += 2 {
		if isSecret(c.Arg(i)) {
			session(c).Redact(i + 1)
		}
		pairs = append(pairs, Pair{string(c.Arg(i)), string(c.Arg(i + 1))})
	}
	replyConfig(c, r.Directives.Set(pairs))
	session(c).RefreshLimits()
}

// isSecret reports whether SLOWLOG must not show a directive's value.
func isSecret(name []byte) bool {
	for _, secret := range []string{"requirepass", "masterauth", "masteruser", "cluster-secret", "tls-key-file-pass", "tls-client-key-file-pass"} {
		if command.EqualFold(name, secret) {
			return true
		}
	}
	return false
}

func (r *room) configRewrite(c *command.Ctx) {
	err := r.Directives.Rewrite()
	if err == nil {
		r.Log.Info("configuration rewritten", "file", r.ConfigFile)
	}
	replyConfig(c, err)
}

func replyConfig(c *command.Ctx, err error) {
	if err == nil {
		c.OK()
		return
	}
	c.Error("ERR " + strings.TrimPrefix(err.Error(), "ERR "))
}

func (r *room) configResetStat(c *command.Ctx) {
	r.Server.ResetStats()
	if r.ResetStats != nil {
		r.ResetStats()
	}
	c.OK()
}
