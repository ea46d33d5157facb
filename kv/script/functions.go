package script

import (
	"errors"

	"conclave/kv/persist"
	"conclave/resp/command"
)

// changed has a change of the libraries kept elsewhere too; the data don't show
// it.
func changed(c *command.Ctx) { c.Rewrite(c.Args...) }

func (e *Engine) functionLoad(c *command.Ctx) {
	last := len(c.Args) - 1
	replace := false
	for _, a := range c.Args[2:last] {
		if !command.EqualFold(a, "replace") {
			c.Error("ERR Unknown option given: " + string(a))
			return
		}
		replace = true
	}
	c.NoEffect()
	name, program, err := metadata(string(c.Arg(last)))
	if err == nil && !replace && e.hasLibrary(name) {
		err = errors.New("Library '" + name + "' already exists")
	}
	var lib *Library
	if err == nil {
		e.compiling(c, len(program), func() { lib, err = e.compileLibrary(name, string(c.Arg(last)), program) })
	}
	if err == nil {
		err = e.link([]*Library{lib}, replace)
	}
	if err != nil {
		c.Error("ERR " + err.Error())
		return
	}
	changed(c)
	c.BulkString(name)
}

func (e *Engine) hasLibrary(name string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.libraries[name] != nil
}

func (e *Engine) functionDelete(c *command.Ctx) {
	if !e.delete(string(c.Arg(2))) {
		c.NoEffect()
		c.Error("ERR Library not found")
		return
	}
	changed(c)
	c.OK()
}

func (e *Engine) functionFlush(c *command.Ctx) {
	switch {
	case len(c.Args) > 3:
		c.Error(subcommandSyntax(c))
		return
	case !flushMode(c):
		c.Error("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
		return
	}
	e.Clear()
	changed(c)
	c.OK()
}

func subcommandSyntax(c *command.Ctx) string {
	return "ERR unknown subcommand or wrong number of arguments for '" + string(c.Arg(1)) + "'. Try FUNCTION HELP."
}

func (e *Engine) functionDump(c *command.Ctx) {
	c.Bulk(persist.AppendFunctions(nil, e.Sources()))
}

func (e *Engine) functionRestore(c *command.Ctx) {
	c.NoEffect()
	flush, replace := false, false
	switch {
	case len(c.Args) > 4:
		c.Error(subcommandSyntax(c))
		return
	case len(c.Args) == 3 || c.Is(3, "append"):
	case c.Is(3, "replace"):
		replace = true
	case c.Is(3, "flush"):
		flush = true
	default:
		c.Error("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.")
		return
	}
	sources, err := persist.ParseFunctions(c.Arg(2), int(e.cfg.MaxBulkLen()))
	switch {
	case errors.Is(err, persist.ErrChecksum):
		c.Error("ERR DUMP payload version or checksum are wrong")
		return
	case err != nil:
		c.Error("ERR failed loading the given functions payload")
		return
	}
	if err := e.restore(sources, flush, replace); err != nil {
		c.Error("ERR " + err.Error())
		return
	}
	changed(c)
	c.OK()
}

// restore adds libraries, or replaces all there are by them.
func (e *Engine) restore(sources [][]byte, flush, replace bool) error {
	if !flush {
		return e.add(sources, replace)
	}
	fresh := New(e.cfg)
	if err := fresh.add(sources, false); err != nil {
		return err
	}
	e.Clear()
	return e.add(sources, false)
}

// listOptions are those of FUNCTION LIST.
type listOptions struct {
	withCode bool
	pattern  []byte
	named    bool
}

func parseListOptions(args [][]byte) (o listOptions, text string) {
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case !o.withCode && command.EqualFold(a, "withcode"):
			o.withCode = true
		case !o.named && command.EqualFold(a, "libraryname"):
			if i++; i == len(args) {
				return o, "ERR library name argument was not given"
			}
			o.pattern, o.named = args[i], true
		default:
			return o, "ERR Unknown argument " + string(a)
		}
	}
	return o, ""
}

func (e *Engine) functionList(c *command.Ctx) {
	o, text := parseListOptions(c.Args[2:])
	if text != "" {
		c.Error(text)
		return
	}
	var libs []*Library
	for _, lib := range e.sorted() {
		if !o.named || command.Glob(o.pattern, []byte(lib.name), true) {
			libs = append(libs, lib)
		}
	}
	c.Array(len(libs))
	for _, lib := range libs {
		lib.describe(c, o.withCode)
	}
}

func (lib *Library) describe(c *command.Ctx, withCode bool) {
	n := 3
	if withCode {
		n++
	}
	c.Map(n)
	c.BulkString("library_name")
	c.BulkString(lib.name)
	c.BulkString("engine")
	c.BulkString("LUA")
	c.BulkString("functions")
	c.Array(len(lib.functions))
	for _, f := range lib.sorted() {
		c.Map(3)
		c.BulkString("name")
		c.BulkString(f.name)
		c.BulkString("description")
		if f.hasDescription {
			c.BulkString(f.description)
		} else {
			c.Null()
		}
		c.BulkString("flags")
		names := f.flags.names()
		c.Set(len(names))
		for _, name := range names {
			c.Simple(name)
		}
	}
	if withCode {
		c.BulkString("library_code")
		c.BulkString(lib.source)
	}
}
