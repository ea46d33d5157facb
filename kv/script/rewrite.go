package script

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

// The functions that rewritten programs call. No program can spell their names.
const (
	hiddenConcat = "\x00concat"
	hiddenSet    = "\x00set"
	hiddenGlobal = "\x00global"
	hiddenLen    = "\x00len"
	hiddenKey    = "\x00key"
	hiddenBuilt  = "\x00built"
)

const (
	// maxSource bounds a program: its syntax tree is many times larger, and nobody
	// can end the compiler.
	maxSource = 1 << 20
	// maxDepth bounds the nesting of a program, because the compiler recurses.
	maxDepth = 4000
)

var (
	errTooLarge = errors.New("chunk has too many lines")
	errTooDeep  = errors.New("chunk has too many syntax levels")
)

// compile makes a program of source text. name is what errors call it. The
// result may be used by all states.
func compile(source, name string) (proto *lua.FunctionProto, err error) {
	if len(source) > maxSource {
		return nil, fmt.Errorf("%s:1: %w", name, errTooLarge)
	}
	if tooDeep(source) {
		return nil, fmt.Errorf("%s:1: %w", name, errTooDeep)
	}
	if strings.HasPrefix(source, "\x1bLua") {
		return nil, fmt.Errorf("%s:1: bytecode is not accepted", name)
	}
	defer func() {
		if r := recover(); r != nil { // the library's own way of giving up
			err = fmt.Errorf("%s:1: %v", name, r)
		}
	}()
	chunk, err := parse.Parse(strings.NewReader(source), name)
	if err != nil {
		return nil, syntaxError(err, name, strings.Count(source, "\n")+1)
	}
	rw := rewriter{locals: map[string]int{}, name: name}
	chunk = rw.block(chunk)
	if rw.err != nil {
		return nil, rw.err
	}
	if !rw.variadic {
		chunk = enclosed(chunk)
	}
	proto, err = lua.Compile(chunk, name)
	if err != nil {
		var ce *lua.CompileError
		if errors.As(err, &ce) {
			return nil, fmt.Errorf("%s:%d: %s", name, ce.Line, ce.Message)
		}
		return nil, fmt.Errorf("%s:1: %w", name, err)
	}
	if !rw.variadic {
		return proto.FunctionPrototypes[0], nil
	}
	return proto, nil
}

// enclosed makes a chunk the body of a function without arguments: the library
// has every chunk take any number of them, and makes a table of them at each
// call.
func enclosed(chunk []ast.Stmt) []ast.Stmt {
	body := &ast.FunctionExpr{ParList: &ast.ParList{}, Stmts: chunk}
	outer := &ast.ReturnStmt{Exprs: []ast.Expr{body}}
	if n := len(chunk); n > 0 {
		body.SetLine(chunk[0].Line())
		body.SetLastLine(chunk[n-1].LastLine() + 1)
	}
	at(outer, body)
	return []ast.Stmt{outer}
}

// syntaxError says it in Lua's words. last is the number of the last line.
func syntaxError(err error, name string, last int) error {
	var pe *parse.Error
	if !errors.As(err, &pe) {
		return fmt.Errorf("%s:1: %w", name, err)
	}
	message := strings.TrimSpace(pe.Message)
	switch message {
	case "syntax error", "":
		message = "unexpected symbol"
	case "unterminated string":
		message = "unfinished string"
	}
	if pe.Pos.Line == parse.EOF {
		return fmt.Errorf("%s:%d: %s near '<eof>'", name, last, message)
	}
	return fmt.Errorf("%s:%d: %s near '%s'", name, pe.Pos.Line, message, pe.Token)
}

// rewriter goes through a program and knows which names are local.
type rewriter struct {
	name   string
	locals map[string]int // number of declarations in force
	scope  []string       // the declarations, innermost last
	depth  int
	nested int // functions around
	temps  int
	err    error
	// variadic: the chunk itself uses its arguments.
	variadic bool
}

func (w *rewriter) declare(names ...string) {
	for _, n := range names {
		w.locals[n]++
		w.scope = append(w.scope, n)
	}
}

func (w *rewriter) leave(mark int) {
	for _, n := range w.scope[mark:] {
		w.locals[n]--
	}
	w.scope = w.scope[:mark]
}

func (w *rewriter) fail(at ast.PositionHolder, what string) {
	if w.err == nil {
		w.err = fmt.Errorf("%s:%d: %s", w.name, at.Line(), what)
	}
}

// enter counts a level of nesting. It reports whether to go on.
func (w *rewriter) enter(at ast.PositionHolder) bool {
	w.depth++
	if w.depth > maxDepth && w.err == nil {
		w.err = fmt.Errorf("%s:%d: %w", w.name, at.Line(), errTooDeep)
	}
	return w.err == nil
}

func (w *rewriter) block(stmts []ast.Stmt) []ast.Stmt {
	mark := len(w.scope)
	w.statements(stmts)
	w.leave(mark)
	return stmts
}

// statements rewrites a block whose locals stay declared.
func (w *rewriter) statements(stmts []ast.Stmt) {
	for i, s := range stmts {
		if !w.enter(s) {
			return
		}
		stmts[i] = w.statement(s)
		w.depth--
	}
}

func (w *rewriter) statement(s ast.Stmt) ast.Stmt {
	switch s := s.(type) {
	case *ast.AssignStmt:
		return w.assign(s)
	case *ast.LocalAssignStmt:
		if len(s.Names) == 1 && len(s.Exprs) == 1 {
			if _, ok := s.Exprs[0].(*ast.FunctionExpr); ok {
				w.declare(s.Names[0])
				w.exprs(s.Exprs)
				return s
			}
		}
		w.exprs(s.Exprs)
		w.declare(s.Names...)
	case *ast.FuncCallStmt:
		s.Expr = w.expr(s.Expr)
	case *ast.DoBlockStmt:
		w.block(s.Stmts)
	case *ast.WhileStmt:
		s.Condition = w.expr(s.Condition)
		w.block(s.Stmts)
	case *ast.RepeatStmt:
		mark := len(w.scope)
		w.statements(s.Stmts)
		s.Condition = w.expr(s.Condition)
		w.leave(mark)
	case *ast.IfStmt:
		s.Condition = w.expr(s.Condition)
		w.block(s.Then)
		w.block(s.Else)
	case *ast.NumberForStmt:
		s.Init, s.Limit = w.expr(s.Init), w.expr(s.Limit)
		if s.Step != nil {
			s.Step = w.expr(s.Step)
		}
		mark := len(w.scope)
		w.declare(s.Name)
		w.block(s.Stmts)
		w.leave(mark)
	case *ast.GenericForStmt:
		w.exprs(s.Exprs)
		mark := len(w.scope)
		w.declare(s.Names...)
		w.block(s.Stmts)
		w.leave(mark)
	case *ast.FuncDefStmt:
		return w.define(s)
	case *ast.ReturnStmt:
		w.exprs(s.Exprs)
	case *ast.GotoStmt: // the library has them, Lua 5.1 doesn't
		w.fail(s, "'=' expected near '"+s.Label+"'")
	case *ast.LabelStmt:
		w.fail(s, "unexpected symbol near ':'")
	}
	return s
}

// define is a function statement: an assignment of the function.
func (w *rewriter) define(s *ast.FuncDefStmt) ast.Stmt {
	target := s.Name.Func
	if target == nil { // a method
		key := &ast.StringExpr{Value: s.Name.Method}
		at(key, s)
		target = &ast.AttrGetExpr{Object: s.Name.Receiver, Key: key}
		at(target, s)
		s.Func.ParList.Names = append([]string{"self"}, s.Func.ParList.Names...)
	}
	a := &ast.AssignStmt{Lhs: []ast.Expr{target}, Rhs: []ast.Expr{s.Func}}
	at(a, s)
	return w.assign(a)
}

// assign turns assignments to fields and globals into calls.
func (w *rewriter) assign(s *ast.AssignStmt) ast.Stmt {
	plain := true
	for i, target := range s.Lhs {
		switch t := target.(type) {
		case *ast.IdentExpr:
			plain = plain && w.locals[t.Value] > 0
		case *ast.AttrGetExpr:
			plain = false
			t.Object, t.Key = w.expr(t.Object), w.expr(t.Key)
		default:
			s.Lhs[i] = w.expr(target)
		}
	}
	w.exprs(s.Rhs)
	switch {
	case plain:
		return s
	case len(s.Lhs) == 1:
		return w.store(s.Lhs[0], s, s.Rhs...)
	}
	// Everything is evaluated before anything is assigned.
	block := &ast.DoBlockStmt{}
	at(block, s)
	targets, values := &ast.LocalAssignStmt{}, &ast.LocalAssignStmt{Exprs: s.Rhs}
	at(targets, s)
	at(values, s)
	for i, target := range s.Lhs {
		if t, ok := target.(*ast.AttrGetExpr); ok {
			object, key := w.temp(), w.temp()
			targets.Names = append(targets.Names, object, key)
			targets.Exprs = append(targets.Exprs, single(t.Object), single(t.Key))
			moved := &ast.AttrGetExpr{Object: ident(object, t), Key: ident(key, t)}
			at(moved, t)
			s.Lhs[i] = moved
		}
		values.Names = append(values.Names, w.temp())
	}
	if len(targets.Names) > 0 {
		block.Stmts = append(block.Stmts, targets)
	}
	block.Stmts = append(block.Stmts, values)
	for i := len(s.Lhs) - 1; i >= 0; i-- {
		block.Stmts = append(block.Stmts, w.store(s.Lhs[i], s, ident(values.Names[i], s)))
	}
	return block
}

// store is the assignment of one target.
func (w *rewriter) store(target ast.Expr, pos ast.PositionHolder, values ...ast.Expr) ast.Stmt {
	var c *ast.FuncCallExpr
	switch t := target.(type) {
	case *ast.AttrGetExpr:
		c = call(hiddenSet, pos, append([]ast.Expr{t.Object, t.Key}, values...)...)
	case *ast.IdentExpr:
		if w.locals[t.Value] > 0 {
			a := &ast.AssignStmt{Lhs: []ast.Expr{t}, Rhs: values}
			at(a, pos)
			return a
		}
		name := &ast.StringExpr{Value: t.Value}
		at(name, pos)
		c = call(hiddenGlobal, pos, append([]ast.Expr{name}, values...)...)
	}
	stmt := &ast.FuncCallStmt{Expr: c}
	at(stmt, pos)
	return stmt
}

func (w *rewriter) temp() string {
	w.temps++
	return "\x00" + strconv.Itoa(w.temps)
}

func (w *rewriter) exprs(list []ast.Expr) {
	for i := range list {
		list[i] = w.expr(list[i])
	}
}

func (w *rewriter) expr(e ast.Expr) ast.Expr {
	if e == nil || !w.enter(e) {
		return e
	}
	defer func() { w.depth-- }()
	switch x := e.(type) {
	case *ast.NumberExpr:
		w.number(x)
	case *ast.Comma3Expr:
		w.variadic = w.variadic || w.nested == 0
	case *ast.IdentExpr:
		w.variadic = w.variadic || w.nested == 0 && x.Value == "arg"
	case *ast.AttrGetExpr:
		x.Object, x.Key = w.expr(x.Object), w.expr(x.Key)
	case *ast.TableExpr:
		return w.table(x)
	case *ast.FuncCallExpr:
		if x.Func != nil {
			x.Func = w.expr(x.Func)
		}
		if x.Receiver != nil {
			x.Receiver = w.expr(x.Receiver)
		}
		w.exprs(x.Args)
	case *ast.LogicalOpExpr:
		x.Lhs, x.Rhs = w.expr(x.Lhs), w.expr(x.Rhs)
	case *ast.RelationalOpExpr:
		x.Lhs, x.Rhs = w.expr(x.Lhs), w.expr(x.Rhs)
	case *ast.ArithmeticOpExpr:
		x.Lhs, x.Rhs = w.expr(x.Lhs), w.expr(x.Rhs)
	case *ast.StringConcatOpExpr:
		args := []ast.Expr{w.expr(x.Lhs)}
		rest := x.Rhs
		for {
			next, ok := rest.(*ast.StringConcatOpExpr)
			if !ok {
				break
			}
			args = append(args, w.expr(next.Lhs))
			rest = next.Rhs
		}
		args = append(args, single(w.expr(rest)))
		if len(args) > maxConcat && w.err == nil {
			w.err = fmt.Errorf("%s:%d: %w", w.name, x.Line(), errTooDeep)
		}
		return call(hiddenConcat, x, args...)
	case *ast.UnaryMinusOpExpr:
		x.Expr = w.expr(x.Expr)
	case *ast.UnaryNotOpExpr:
		x.Expr = w.expr(x.Expr)
	case *ast.UnaryLenOpExpr:
		return call(hiddenLen, x, single(w.expr(x.Expr)))
	case *ast.FunctionExpr:
		mark := len(w.scope)
		w.declare(x.ParList.Names...)
		if x.ParList.HasVargs {
			w.declare("arg")
		}
		w.nested++
		w.block(x.Stmts)
		w.nested--
		w.leave(mark)
	}
	return e
}

// maxConcat bounds the operands of one chain of concatenations, which take a
// register each.
const maxConcat = 190

// table has keys and long lists counted.
func (w *rewriter) table(x *ast.TableExpr) ast.Expr {
	open := false
	for i, f := range x.Fields {
		if f.Key != nil {
			f.Key = w.expr(f.Key)
			if _, ok := f.Key.(*ast.StringExpr); !ok {
				f.Key = call(hiddenKey, f.Key, single(f.Key))
			}
		}
		f.Value = w.expr(f.Value)
		if i == len(x.Fields)-1 && f.Key == nil {
			switch v := f.Value.(type) {
			case *ast.FuncCallExpr:
				open = !v.AdjustRet
			case *ast.Comma3Expr:
				open = !v.AdjustRet
			}
		}
	}
	if open {
		return call(hiddenBuilt, x, x)
	}
	return x
}

// number makes sure that the library reads a numeral as Lua does: it takes 010
// for eight.
func (w *rewriter) number(x *ast.NumberExpr) {
	f, ok := parseNumber(x.Value)
	if !ok {
		if w.err == nil {
			w.err = fmt.Errorf("%s:%d: malformed number near '%s'", w.name, x.Line(), x.Value)
		}
		return
	}
	x.Value = strconv.FormatFloat(f, 'g', -1, 64)
}

// single makes an expression that may have several values have one.
func single(e ast.Expr) ast.Expr {
	switch x := e.(type) {
	case *ast.FuncCallExpr:
		x.AdjustRet = true
	case *ast.Comma3Expr:
		x.AdjustRet = true
	}
	return e
}

func call(name string, pos ast.PositionHolder, args ...ast.Expr) *ast.FuncCallExpr {
	c := &ast.FuncCallExpr{Func: ident(name, pos), Args: args}
	at(c, pos)
	return c
}

func ident(name string, pos ast.PositionHolder) *ast.IdentExpr {
	i := &ast.IdentExpr{Value: name}
	at(i, pos)
	return i
}

// at gives a node the position of another.
func at(n, of ast.PositionHolder) {
	n.SetLine(of.Line())
	n.SetLastLine(of.LastLine())
}
