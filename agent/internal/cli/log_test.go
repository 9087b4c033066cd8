package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"buzon/agent/internal/locale"
	"buzon/scripts/load/s3server"
)

// TestAStormIsCut: of one message a minute's first lines are written, and then how many more there were; others are not
// touched by it.
func TestAStormIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := slog.New(newSampler(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}), time.Now))
		for i := range 1000 {
			log.With("outbox", "/srv").Warn("file is in quarantine", "path", strconv.Itoa(i))
			log.Debug("detail")
		}
		log.Info("sent")
		if n := strings.Count(out.String(), "file is in quarantine"); n != sampleMost {
			t.Errorf("%d lines of the storm", n)
		}
		if n := strings.Count(out.String(), "msg=detail"); n != 1000 || !strings.Contains(out.String(), "msg=sent") {
			t.Errorf("%d lines of what was asked for, or nothing of others", n)
		}
		time.Sleep(sampleEvery)
		out.Reset()
		log.Info("sent")
		if got := out.String(); !strings.Contains(got, `message="file is in quarantine" count=980`) || strings.Count(got, "\n") != 2 {
			t.Errorf("afterwards it says\n%s", got)
		}
		time.Sleep(sampleEvery)
		out.Reset()
		log.Warn("file is in quarantine")
		if strings.Count(out.String(), "\n") != 1 {
			t.Errorf("a minute later it says\n%s", out.String())
		}
	})
}

// TestJournaldIsTold the priority of each line, and not the time; only where it is journald that reads.
func TestJournaldIsTold(t *testing.T) {
	for _, form := range []string{"text", "json"} {
		file, err := os.Create(filepath.Join(t.TempDir(), "log"))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close() //nolint:errcheck // it is read below
		info, err := file.Stat()
		if err != nil {
			t.Fatal(err)
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			t.Skip("SKIPPED: not Unix")
		}
		stream := fmt.Sprintf("%d:%d", st.Dev, st.Ino)
		a := &app{stderr: file, getenv: func(name string) string { return map[string]string{"JOURNAL_STREAM": stream}[name] }}
		a.flags.logFormat = form
		log := slog.New(a.logHandler(slog.LevelInfo)).With("outbox", "/srv")
		log.Error("one", "error", errors.New("two\nlines"))
		log.Warn("two")
		log.Info("three")
		log.Debug("four")
		stream = "1:1"
		slog.New(a.logHandler(slog.LevelInfo)).Info("to a file")
		text, err := os.ReadFile(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		if len(lines) != 4 {
			t.Fatalf("%s", text)
		}
		year := strconv.Itoa(time.Now().UTC().Year())
		for i, mark := range []string{"<3>", "<4>", "<6>"} {
			if !strings.HasPrefix(lines[i], mark) || strings.Contains(lines[i], year+"-") || !strings.Contains(lines[i], "/srv") {
				t.Errorf("%s: %s", form, lines[i])
			}
			if form == "json" && !json.Valid([]byte(lines[i][3:])) {
				t.Errorf("no JSON: %s", lines[i])
			}
		}
		if strings.HasPrefix(lines[3], "<") || !strings.Contains(lines[3], year+"-") {
			t.Errorf("to a file it writes %s", lines[3])
		}
	}
}

func TestEachSentFileIsLoggedWhereAsked(t *testing.T) {
	h := newHost(t, s3server.Options{})
	dir := h.files("out", "a.txt", "sub/b.txt")
	code, _, errs := h.upload(dir, "--log-files", "--log-format", "json", "--log-level", "error")
	if code != 0 {
		t.Fatalf("%d\n%s", code, errs)
	}
	keys := map[string]bool{}
	for line := range strings.Lines(errs) {
		var l struct {
			Msg, Outbox, Path, Key, Evidence, After string
			Bytes                                   int64
		}
		if json.Unmarshal([]byte(line), &l) == nil && l.Msg == "file sent" {
			keys[l.Key] = true
			if l.Outbox != dir || !strings.HasSuffix(l.Key, l.Path) || l.Evidence != "answered" || l.After == "" || l.Bytes == 0 {
				t.Errorf("it says %s", line)
			}
		}
	}
	if want := map[string]bool{prefix + "a.txt": true, prefix + "sub/b.txt": true}; !maps.Equal(keys, want) {
		t.Errorf("logged were %v\n%s", keys, errs)
	}
	if _, _, errs := h.upload(h.files("again", "c.txt")); strings.Contains(errs, "file sent") {
		t.Errorf("nobody asked\n%s", errs)
	}
}

var logCall = regexp.MustCompile(`(?i)(^|\.)(log|slog|FileLog)$`)

// TestTheLogsKeysAreThose of the docs' table: whoever reads logs by program relies on them. What a key holds is one thing
// wherever it stands.
func TestTheLogsKeysAreThose(t *testing.T) {
	used := map[string]string{}
	fset := token.NewFileSet()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			first := map[string]int{"Debug": 1, "Info": 1, "Warn": 1, "Error": 1, "With": 0}
			skip, logs := first[method.Sel.Name]
			var on strings.Builder
			switch x := method.X.(type) {
			case *ast.Ident:
				on.WriteString(x.Name)
			case *ast.SelectorExpr:
				on.WriteString(x.Sel.Name)
			}
			if !logs || !logCall.MatchString(on.String()) {
				return true
			}
			for i := skip; i < len(call.Args); i += 2 {
				key, ok := call.Args[i].(*ast.BasicLit)
				if !ok {
					t.Errorf("%s: a key that is no constant", fset.Position(call.Args[i].Pos()))
					continue
				}
				name, err := strconv.Unquote(key.Value)
				if err != nil {
					t.Error(err)
				}
				used[name] = fset.Position(key.Pos()).String()
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	used["message"], used["count"] = "log.go", "log.go" // of the sampler
	for _, lang := range locale.Languages {
		page, err := os.ReadFile(filepath.Join(docs, lang, "metrics.md"))
		if err != nil {
			t.Fatal(err)
		}
		_, section, _ := strings.Cut(string(page), map[string]string{"en": "## The log\n", "es": "## El registro\n"}[lang])
		told := map[string]bool{}
		for _, m := range regexp.MustCompile("(?m)^\\| ((?:`[a-z_]+`(?:, )?)+) \\|").FindAllStringSubmatch(section, -1) {
			for _, name := range strings.Split(m[1], ", ") {
				told[strings.Trim(name, "`")] = true
			}
		}
		for _, name := range slices.Sorted(maps.Keys(used)) {
			if !told[name] {
				t.Errorf("docs/%s/metrics.md has no row of the key %s (%s)", lang, name, used[name])
			}
			delete(told, name)
		}
		for name := range told {
			t.Errorf("docs/%s/metrics.md tells of the key %s, and no line has it", lang, name)
		}
	}
}
