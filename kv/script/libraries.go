package script

import (
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// loadTimeout bounds how long the program of a library may take to register its
// functions.
const loadTimeout = 500 * time.Millisecond

// Library is a library of functions. It isn't changed once it was made.
type Library struct {
	name      string
	source    string
	proto     *lua.FunctionProto
	functions map[string]*Function
}

// Function is one of them.
type Function struct {
	name           string
	description    string
	hasDescription bool
	flags          Flags
	library        *Library
}

const errLibraryName = "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long"

func validName(s string) bool {
	for _, c := range []byte(s) {
		if !isAlpha(c) && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return s != ""
}

// metadata splits the source of a library into the name that its first line gives
// and the program, whose lines keep their numbers.
func metadata(source string) (name, program string, err error) {
	if !strings.HasPrefix(source, "#!") {
		return "", "", errors.New("Missing library metadata")
	}
	line, _, ok := strings.Cut(source, "\n")
	words := strings.Fields(line)
	if !ok || len(words) == 0 {
		return "", "", errors.New("Invalid library metadata")
	}
	named := false
	for _, w := range words[1:] {
		if len(w) < 5 || !strings.EqualFold(w[:5], "name=") {
			return "", "", fmt.Errorf("Invalid metadata value given: %s", w)
		}
		if named {
			return "", "", errors.New("Invalid metadata value, name argument was given multiple times")
		}
		name, named = unquoted(w[5:]), true
	}
	switch engine := words[0][2:]; {
	case !named:
		return "", "", errors.New("Library name was not given")
	case !validName(name):
		return "", "", errors.New(errLibraryName)
	case !strings.EqualFold(engine, "lua"):
		return "", "", fmt.Errorf("Engine '%s' not found", engine)
	}
	return name, source[len(line):], nil
}

// unquoted is a word without the quotes around it.
func unquoted(w string) string {
	if n := len(w) - 1; n > 0 && (w[0] == '"' || w[0] == '\'') && w[n] == w[0] {
		return w[1:n]
	}
	return w
}

// library makes a library of its source, and registers its functions.
func (e *Engine) library(source string) (*Library, error) {
	name, program, err := metadata(source)
	if err != nil {
		return nil, err
	}
	return e.compileLibrary(name, source, program)
}

func (e *Engine) compileLibrary(name, source, program string) (*Library, error) {
	proto, err := compile(program, "user_function")
	if err != nil {
		return nil, fmt.Errorf("Error compiling function: %w", err)
	}
	lib := &Library{name: name, source: source, proto: proto, functions: map[string]*Function{}}
	st := e.state()
	defer e.giveBack(st)
	if err := st.register(lib, true); err != nil {
		return nil, err
	}
	if len(lib.functions) == 0 {
		return nil, errors.New("No functions registered")
	}
	return lib, nil
}

// register runs the program of a library in the state. declare says that the
// functions are new to the library as well.
func (st *state) register(lib *Library, declare bool) error {
	now := time.Now()
	if declare { // outside a run
		st.budget.start(now, nil)
		st.budget.deadline = now.Add(loadTimeout)
	}
	st.loading, st.declaring, st.loadedInto = lib, declare, map[string]*lua.LFunction{}
	fn := st.l.NewFunctionFromProto(lib.proto)
	fn.Env = st.libGlobals
	host := st.host
	st.host = nil
	st.setLoading(true)
	_, err := st.call(fn)
	st.setLoading(false)
	st.host, st.loading = host, nil
	if err != nil {
		if st.budget.cause != "" {
			return errors.New("Error registering functions: " + st.budget.cause)
		}
		switch v := errorValue(err).(type) {
		case *lua.LTable:
			s, _ := toText(v.RawGetString("err"))
			return errors.New("Error registering functions: " + s)
		default:
			return errors.New("Error registering functions: ERR " + show(v))
		}
	}
	st.loaded[lib] = st.loadedInto
	return nil
}

// function is the function in this state, which loads the library if need be.
func (st *state) function(f *Function) (*lua.LFunction, error) {
	fns := st.loaded[f.library]
	if fns == nil {
		st.forgetLibraries()
		if err := st.register(f.library, false); err != nil {
			return nil, err
		}
		fns = st.loaded[f.library]
	}
	fn := fns[f.name]
	if fn == nil {
		return nil, errors.New("Function not found")
	}
	return fn, nil
}

// forgetLibraries drops the libraries that are no more.
func (st *state) forgetLibraries() {
	st.e.mu.Lock()
	defer st.e.mu.Unlock()
	for lib := range st.loaded {
		if st.e.libraries[lib.name] != lib {
			delete(st.loaded, lib)
		}
	}
}

// registerFunction is redis.register_function.
func (st *state) registerFunction(l *lua.LState) int {
	if st.loading == nil {
		return st.fail(l, "redis.register_function can only be called on FUNCTION LOAD command")
	}
	f := &Function{library: st.loading, flags: declared}
	var fn *lua.LFunction
	var problem string
	switch l.GetTop() {
	case 1:
		fn, problem = namedArgs(l, f)
	case 2:
		fn, problem = positionalArgs(l, f)
	default:
		problem = "wrong number of arguments to redis.register_function"
	}
	switch {
	case problem != "":
		return st.fail(l, problem)
	case !validName(f.name):
		return st.fail(l, errLibraryName)
	case st.loadedInto[f.name] != nil:
		return st.fail(l, "Function already exists in the library")
	}
	st.loadedInto[f.name] = fn
	if st.declaring {
		st.loading.functions[f.name] = f
	}
	return 0
}

func positionalArgs(l *lua.LState, f *Function) (*lua.LFunction, string) {
	name, ok := toText(l.Get(1))
	if !ok {
		return nil, "first argument to redis.register_function must be a string"
	}
	f.name = name
	fn, ok := l.Get(2).(*lua.LFunction)
	if !ok {
		return nil, "second argument to redis.register_function must be a function"
	}
	return fn, ""
}

func namedArgs(l *lua.LState, f *Function) (fn *lua.LFunction, problem string) {
	t, ok := l.Get(1).(*lua.LTable)
	if !ok {
		return nil, "calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments)."
	}
	named := false
	t.ForEach(func(k, v lua.LValue) {
		if problem != "" {
			return
		}
		key, ok := toText(k)
		if !ok {
			problem = "named argument key given to redis.register_function is not a string"
			return
		}
		switch strings.ToLower(key) {
		case "function_name":
			if f.name, named = toText(v); !named {
				problem = "function_name argument given to redis.register_function must be a string"
			}
		case "description":
			if f.description, f.hasDescription = toText(v); !f.hasDescription {
				problem = "description argument given to redis.register_function must be a string"
			}
		case "callback":
			if fn, ok = v.(*lua.LFunction); !ok {
				problem = "callback argument given to redis.register_function must be a function"
			}
		case "flags":
			problem = flagArgs(v, f)
		default:
			problem = "unknown argument given to redis.register_function"
		}
	})
	switch {
	case problem != "":
	case !named:
		problem = "redis.register_function must get a function name argument"
	case fn == nil:
		problem = "redis.register_function must get a callback argument"
	}
	return fn, problem
}

func flagArgs(v lua.LValue, f *Function) (problem string) {
	t, ok := v.(*lua.LTable)
	if !ok {
		return "flags argument to redis.register_function must be a table representing function flags"
	}
	for i := 1; ; i++ {
		v := t.RawGet(lua.LNumber(i))
		if v == lua.LNil {
			return ""
		}
		name, _ := toText(v)
		flag := parseFlag(name, true)
		if flag == 0 {
			return "unknown flag given"
		}
		f.flags |= flag
	}
}

// link adds libraries, all of them or none. replace says what happens to those of
// the same name.
func (e *Engine) link(libs []*Library, replace bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	gone := map[*Library]bool{}
	for _, lib := range libs {
		if old := e.libraries[lib.name]; old != nil {
			if !replace {
				return fmt.Errorf("Library %s already exists", lib.name)
			}
			gone[old] = true
		}
	}
	for _, lib := range libs {
		for name := range lib.functions {
			if old := e.functions[strings.ToLower(name)]; old != nil && !gone[old.library] {
				return fmt.Errorf("Function %s already exists", name)
			}
		}
	}
	for old := range gone {
		e.unlink(old)
	}
	for _, lib := range libs {
		e.libraries[lib.name] = lib
		for name, f := range lib.functions {
			e.functions[strings.ToLower(name)] = f
		}
	}
	return nil
}

// unlink removes a library. mu is held.
func (e *Engine) unlink(lib *Library) {
	delete(e.libraries, lib.name)
	for name := range lib.functions {
		delete(e.functions, strings.ToLower(name))
	}
}

// delete removes the library of that name. It reports whether there was one.
func (e *Engine) delete(name string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	lib := e.libraries[name]
	if lib == nil {
		return false
	}
	e.unlink(lib)
	return true
}

// Clear removes all libraries.
func (e *Engine) Clear() {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.libraries)
	clear(e.functions)
	e.idle = nil // with what the libraries have left there
}

// sorted are the libraries by name.
func (e *Engine) sorted() []*Library {
	e.mu.Lock()
	defer e.mu.Unlock()
	libs := make([]*Library, 0, len(e.libraries))
	for _, lib := range e.libraries {
		libs = append(libs, lib)
	}
	sort.Slice(libs, func(i, j int) bool { return libs[i].name < libs[j].name })
	return libs
}

// sorted are the functions of a library by name.
func (lib *Library) sorted() []*Function {
	fns := make([]*Function, 0, len(lib.functions))
	for _, f := range lib.functions {
		fns = append(fns, f)
	}
	sort.Slice(fns, func(i, j int) bool { return fns[i].name < fns[j].name })
	return fns
}

// Sources are the sources of all libraries, for files and replicas.
func (e *Engine) Sources() [][]byte {
	libs := e.sorted()
	sources := make([][]byte, len(libs))
	for i, lib := range libs {
		sources[i] = []byte(lib.source)
	}
	return sources
}

// Restore loads a library in place of one of the same name.
func (e *Engine) Restore(source []byte) error { return e.add([][]byte{source}, true) }

// add loads libraries by their source, all of them or none.
func (e *Engine) add(sources [][]byte, replace bool) error {
	libs := make([]*Library, len(sources))
	names := map[string]bool{}
	for i, s := range sources {
		lib, err := e.library(string(s))
		if err != nil {
			return err
		}
		if names[lib.name] {
			return fmt.Errorf("Library '%s' already exists", lib.name)
		}
		names[lib.name] = true
		libs[i] = lib
	}
	return e.link(libs, replace)
}
