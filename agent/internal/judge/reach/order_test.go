package reach

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// upward is how many functions may be called by a file that doc.go puts below theirs.
const upward = 1

// TestFilesAreInTheOrderThatDocTells reads the order of files out of doc.go: what stands
// above calls what stands below.
func TestFilesAreInTheOrderThatDocTells(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, name := range regexp.MustCompile(`\b[a-z_]+\.go\b`).FindAllString(string(doc), -1) {
		if !slices.Contains(order, name) {
			order = append(order, name)
		}
	}
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") || name == "doc.go" {
			continue
		}
		if !slices.Contains(order, name) {
			t.Errorf("doc.go doesn't say where %s stands", name)
		}
		file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	// Of other packages nothing has to be known, so what is missed of them is no error.
	check := types.Config{Importer: nothing{}, Error: func(error) {}}
	pkg, _ := check.Check("reach", fset, files, info)
	at := func(p token.Pos) int { return slices.Index(order, fset.Position(p).Filename) }
	calls, up := 0, map[string]bool{}
	for id, object := range info.Uses {
		f, ok := object.(*types.Func)
		if !ok || f.Pkg() != pkg {
			continue
		}
		if from, to := at(id.Pos()), at(f.Pos()); from > to {
			up[order[from]+" calls "+f.Name()+" of "+order[to]] = true
		} else if from < to {
			calls++
		}
	}
	if calls < 100 {
		t.Errorf("only %d calls between files were seen", calls)
	}
	if len(up) > upward {
		for call := range up {
			t.Error(call)
		}
	}
}

// nothing imports packages without looking into them.
type nothing struct{}

func (nothing) Import(path string) (*types.Package, error) {
	p := types.NewPackage(path, filepath.Base(path))
	p.MarkComplete()
	return p, nil
}
