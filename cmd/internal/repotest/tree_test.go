package repotest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

const (
	root   = "../../.."
	module = "conclave"
)

// pkg is one directory of Go files, without its tests.
type pkg struct {
	dir   string // relative to the root, with slashes
	files map[string]*ast.File
	fset  *token.FileSet
}

// packages parses the repository.
func packages(t *testing.T) []*pkg {
	t.Helper()
	byDir := make(map[string]*pkg)
	var order []*pkg
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if path != root && strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules" || name == "bin" {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(rel)
		p := byDir[dir]
		if p == nil {
			p = &pkg{dir: dir, files: make(map[string]*ast.File), fset: token.NewFileSet()}
			byDir[dir] = p
			order = append(order, p)
		}
		f, err := parser.ParseFile(p.fset, path, nil, parser.ParseComments)
		p.files[path] = f
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(order) < 10 {
		t.Fatalf("only %d packages found", len(order))
	}
	return order
}
