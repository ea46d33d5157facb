package repotest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for _, p := range packages(t) {
		documented := false
		for path, f := range p.files {
			if f.Doc == nil {
				continue
			}
			documented = true
			// A package of one file says it there.
			if filepath.Base(path) != "doc.go" && len(p.files) > 1 {
				t.Errorf("%s: the package's documentation belongs into doc.go", path)
			}
		}
		if !documented {
			t.Errorf("%s has no package documentation", p.dir)
		}
	}
}

func TestNothingHappensAtImport(t *testing.T) {
	for _, p := range packages(t) {
		for _, f := range p.files {
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					t.Errorf("%s: no init(): say in wire.go what is built, and when", p.fset.Position(fn.Pos()))
				}
			}
		}
	}
}

// Package-level variables are constants that Go can't express: tables and error
// values. None is assigned to after its declaration, and none is a lock, a
// counter or a cache.
func TestNoMutableGlobals(t *testing.T) {
	for _, p := range packages(t) {
		for _, complaint := range mutableGlobals(p) {
			t.Error(complaint)
		}
	}
}

func mutableGlobals(p *pkg) []string {
	var complaints []string
	complain := func(at token.Pos, what string) {
		complaints = append(complaints, p.fset.Position(at).String()+": "+what)
	}
	names, specs := make(map[string]bool), make(map[any]bool)
	for _, f := range p.files {
		for _, v := range globalVars(f) {
			specs[v] = true
			for _, n := range v.Names {
				names[n.Name] = n.Name != "_"
			}
			if isState(v.Type) {
				complain(v.Pos(), "package-level state belongs into the type that owns it")
			}
		}
	}
	for _, f := range p.files {
		ast.Inspect(f, func(n ast.Node) bool {
			var targets []ast.Expr
			switch n := n.(type) {
			case *ast.AssignStmt:
				if n.Tok != token.DEFINE {
					targets = n.Lhs
				}
			case *ast.IncDecStmt:
				targets = []ast.Expr{n.X}
			}
			for _, target := range targets {
				// The parser resolves names within a file and leaves those of
				// the package's other files open.
				id := base(target)
				if id != nil && names[id.Name] && (id.Obj == nil || specs[id.Obj.Decl]) {
					complain(id.Pos(), "package-level variable "+id.Name+" is written to")
				}
			}
			return true
		})
	}
	return complaints
}

func TestMutableGlobalsAreFound(t *testing.T) {
	p := &pkg{fset: token.NewFileSet(), files: make(map[string]*ast.File)}
	for name, src := range map[string]string{
		"a.go": "package p\nvar table = []int{1}\nvar mu sync.Mutex\nvar n atomic.Pointer[int]\nvar _ = 1\nfunc f() { table[0] = 2; _ = 3; other := 1; other = 2; var count int; count++ }",
		"b.go": "package p\nvar count, other int\nfunc g() { table = nil; count++ }\nfunc h(table []int) { table[0] = 1 }",
	} {
		f, err := parser.ParseFile(p.fset, name, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		p.files[name] = f
	}
	got := mutableGlobals(p)
	slices.Sort(got)
	want := []string{
		"a.go:3:5: package-level state belongs into the type that owns it",
		"a.go:4:5: package-level state belongs into the type that owns it",
		"a.go:6:12: package-level variable table is written to",
		"b.go:3:12: package-level variable table is written to",
		"b.go:3:25: package-level variable count is written to",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

func globalVars(f *ast.File) []*ast.ValueSpec {
	var vars []*ast.ValueSpec
	for _, d := range f.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR {
			for _, s := range g.Specs {
				vars = append(vars, s.(*ast.ValueSpec))
			}
		}
	}
	return vars
}

// isState reports whether a type exists to be changed.
func isState(e ast.Expr) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		if i, ok := e.(*ast.IndexExpr); ok { // atomic.Pointer[T]
			return isState(i.X)
		}
		return false
	}
	id, ok := s.X.(*ast.Ident)
	return ok && (id.Name == "sync" || id.Name == "atomic")
}

// base is the variable at the root of a.b[c].
func base(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}

func TestGoMod(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(b), "\n")
	pinned := false
	for i, l := range lines {
		l = strings.TrimSpace(l)
		if strings.HasPrefix(l, "replace ") {
			t.Errorf("go.mod:%d: go install of a version refuses modules with replace", i+1)
		}
		module, version, _ := strings.Cut(strings.TrimPrefix(l, "require "), " ")
		if module != "github.com/hashicorp/raft-boltdb/v2" {
			continue
		}
		version, comment, _ := strings.Cut(version, "//")
		pinned = true
		if strings.TrimSpace(version) != "v2.3.0" {
			t.Errorf("go.mod:%d: raft-boltdb must stay at v2.3.0: v2.3.1 doesn't build together with raft v1.8.0", i+1)
		}
		above := i > 0 && strings.HasPrefix(strings.TrimSpace(lines[i-1]), "//")
		if strings.TrimSpace(strings.ReplaceAll(comment, "indirect", "")) == "" && !above {
			t.Errorf("go.mod:%d: say beside raft-boltdb why it stays at v2.3.0", i+1)
		}
	}
	if !pinned {
		t.Error("go.mod doesn't require raft-boltdb")
	}
}
