package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// module is the path that every package of ours begins with.
const module = "buzon"

// pkg is what go list tells about one package.
type pkg struct {
	ImportPath string
	Dir        string
	Imports    []string
	Deps       []string
}

func list(t *testing.T, patterns ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-e", "-json=ImportPath,Dir,Imports,Deps"}, patterns...)...)
	cmd.Dir = ".."
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// arrows is the house as it was designed: a room and the rooms of ours that it
// may import. A room that is not here is not part of the agent.
var arrows = map[string][]string{
	"agent": {"cli"},
	"man":   {"cli"}, // makes the manual pages; no part of the binary
	"cli": {
		"serve", "report", "send/courier", "send/verify", "judge/audit", "config", "locale",
		// What cli wires together and hands to those rooms.
		"send/outbox", "send/journal", "send/gate", "send/upload", "send/receipt", "client",
		"judge/sources", "judge/catalogue", "judge/evidence", "policy",
	},
	"serve":         {"locale"},
	"report":        {"send/courier", "send/gate", "send/verify", "send/receipt", "judge/audit", "judge/sources", "policy", "locale"},
	"send/courier":  {"send/outbox", "send/journal", "send/gate", "send/upload", "send/receipt", "client"},
	"send/outbox":   {},
	"send/journal":  {"send/receipt"},
	"send/gate":     {"client"},
	"send/upload":   {"client"},
	"send/receipt":  {},
	"send/verify":   {"send/receipt", "client"},
	"judge/audit":   {"judge/sources", "judge/decide", "judge/reach", "judge/catalogue", "policy"},
	"judge/sources": {"judge/sources/terraform", "client", "policy"},

	"judge/sources/terraform": {"policy"},

	"judge/evidence": {"judge/audit", "judge/sources", "judge/reach", "policy"}, // over audit: it files what that found

	"judge/catalogue": {},
	"judge/decide":    {"policy"},
	"judge/reach":     {"judge/catalogue", "judge/reach/strset", "policy"},

	"judge/reach/strset": {},

	"judge/judgetest": {"policy"}, // of tests alone
	"policy":          {},
	"client":          {},
	"config":          {},
	"locale":          {},
}

// room is the short name of a package of the agent, as arrows spells it.
func room(importPath string) (string, bool) {
	path, ok := strings.CutPrefix(importPath, module+"/")
	if !ok {
		return "", false
	}
	if path == "agent" {
		return "agent", true
	}
	if rest, ok := strings.CutPrefix(path, "agent/internal/"); ok {
		return rest, true
	}
	if rest, ok := strings.CutPrefix(path, "agent/"); ok {
		return rest, true
	}
	return path, true
}

func TestRoomsImportOnlyWhatTheHouseAllows(t *testing.T) {
	drawn := map[string][]string{} // what is imported
	defer func() {
		for from, to := range arrows {
			for _, r := range to {
				if !slices.Contains(drawn[from], r) {
					t.Errorf("%s may import %s, and doesn't: an arrow that nobody uses tells of a house that isn't there", from, r)
				}
			}
		}
	}()
	for _, p := range list(t, "./agent/...") {
		name, _ := room(p.ImportPath)
		for _, imported := range p.Imports {
			if r, ours := room(imported); ours {
				drawn[name] = append(drawn[name], r)
			}
		}
		allowed, known := arrows[name]
		if !known {
			t.Errorf("%s is not a room of the house; the design names them all", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			if r, ours := room(imported); ours && !slices.Contains(allowed, r) {
				t.Errorf("%s imports %s: arrows go down only, and siblings never import each other", name, r)
			}
		}
	}
}

// forbidden are packages that the binary must not link, each with the reason.
var forbidden = []struct {
	prefix, why string
}{
	{"github.com/aws/aws-cdk-go", "the binary links no CDK: it is for deploying, and 60 MB"},
	{"github.com/aws/constructs-go", "the binary links no CDK"},
	{"github.com/aws/jsii-runtime-go", "the binary links no CDK"},
	{module + "/infra", "what judges must not be made by what it judges"},
	{module + "/scripts", "test servers and key programs are not for a VM"},
	{"testing", "test code is not for a VM"},
	{module + "/agent/internal/judge/judgetest", "test code is not for a VM"},
}

func TestTheAgentLinksNothingThatAVMMustNotHave(t *testing.T) {
	for _, p := range list(t, "./agent") {
		for _, f := range forbidden {
			for _, dep := range p.Deps {
				if dep == f.prefix || strings.HasPrefix(dep, f.prefix+"/") {
					t.Errorf("agent links %s: %s", dep, f.why)
				}
			}
		}
	}
}

// onlyIn are packages that one room alone may import, with the reason.
var onlyIn = []struct {
	prefix string
	rooms  []string
	why    string
}{
	{"os/exec", []string{"client"}, "the agent itself never runs another program; client only prepares the command of the SDK's credential_process"},
	{"github.com/aws/aws-sdk-go-v2/service/iam", []string{"client", "judge/sources"}, "every IAM read is in sources"},
	{"github.com/spf13/", []string{"cli"}, "the command line is known to cli alone"},
	{"go.etcd.io/bbolt", []string{"send/journal"}, "the journal owns its file"},
	{"github.com/fsnotify/fsnotify", []string{"client"}, "events are a hint; client watches files for the others, and outboxes are watched without it"},
	{"go.yaml.in/yaml/v4", []string{"config", "judge/audit", "judge/sources"}, "YAML is read where it is configuration, waivers or a template"},
	{"github.com/hashicorp/terraform-json", []string{"judge/sources/terraform"}, "the form of Terraform's plans is known there alone"},
	{"github.com/prometheus/", []string{"serve"}, "metrics have one place; the rooms tell what happens through an interface of their own"},
	{"golang.org/x/crypto", []string{"judge/evidence"}, "signatures of evidence are made and checked there"},
	{"github.com/hiddeco/sshsig", []string{"judge/evidence"}, "signatures of evidence are made and checked there"},
	{"golang.org/x/text", []string{"locale"}, "languages are locale's"},
}

func TestWhatOneRoomKeepsToItself(t *testing.T) {
	used := map[string][]string{} // rooms that import it, by prefix
	for _, p := range list(t, "./agent/...") {
		name, _ := room(p.ImportPath)
		for _, o := range onlyIn {
			for _, imported := range p.Imports {
				if imported != o.prefix && !strings.HasPrefix(imported, strings.TrimSuffix(o.prefix, "/")+"/") {
					continue
				}
				used[o.prefix] = append(used[o.prefix], name)
				if !slices.Contains(o.rooms, name) {
					t.Errorf("%s imports %s: %s", name, imported, o.why)
				}
			}
		}
	}
	for _, o := range onlyIn {
		for _, r := range o.rooms {
			if !slices.Contains(used[o.prefix], r) {
				t.Errorf("%s may import %s, and doesn't", r, o.prefix)
			}
		}
	}
}

// outside is what the rooms beside the agent may import of ours.
var outside = map[string][]string{
	"infra":         {"infra/mailbox"},
	"infra/mailbox": {"policy"},
}

// mostCDK is how many packages of the CDK the app may compile: each costs a
// second or more of whoever synthesizes for the first time.
const mostCDK = 60

func TestTheAppStandsOnTheConstructAndTheConstructOnThePolicy(t *testing.T) {
	for _, p := range list(t, "./infra/...") {
		name, _ := room(p.ImportPath)
		allowed, known := outside[name]
		if !known {
			t.Errorf("%s is not a room of the house", p.ImportPath)
		}
		for _, imported := range p.Imports {
			if r, ours := room(imported); ours && !slices.Contains(allowed, r) {
				t.Errorf("%s imports %s", name, r)
			}
		}
		cdk := 0
		for _, dep := range p.Deps {
			if strings.HasPrefix(dep, "github.com/aws/aws-cdk-go/") {
				cdk++
			}
		}
		if cdk == 0 || cdk > mostCDK {
			t.Errorf("%s compiles %d packages of the CDK, and %d are allowed", name, cdk, mostCDK)
		}
	}
}

// TestEachRoomSaysOnceWhatItIs holds every folder with Go code, of the agent
// and of the rest, to one package comment of 3 to 15 lines, its example not
// counted (a program's may be shorter).
func TestEachRoomSaysOnceWhatItIs(t *testing.T) {
	for _, p := range list(t, "./agent/...", "./infra/...", "./scripts/...") {
		files, err := filepath.Glob(filepath.Join(p.Dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		var where []string
		for _, file := range files {
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.PackageClauseOnly)
			if err != nil {
				t.Fatal(err)
			}
			if f.Doc == nil {
				continue
			}
			where = append(where, filepath.Base(file))
			lines := 0
			for line := range strings.Lines(f.Doc.Text()) {
				if line != "\n" && !strings.HasPrefix(line, "\t") {
					lines++
				}
			}
			if least := 3; f.Name.Name != "main" && (lines < least || lines > 15) {
				t.Errorf("%s: the package comment has %d lines, not 3 to 15", p.ImportPath, lines)
			}
		}
		if len(where) != 1 {
			t.Errorf("%s has its package comment in %v, not in one file", p.ImportPath, where)
		}
	}
}

// topLevel is all that may stand at the top of the repository.
var topLevel = []string{
	"infra", "agent", "scripts", "docs", "go.mod", "go.sum", "cdk.json", "README.md", "LICENSE",
}

func TestTheTopLevelIsAsAsked(t *testing.T) {
	cmd := exec.Command("git", "ls-tree", "--name-only", "HEAD")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("no git here (%v): the top level is seen only in a clone", err)
	}
	for _, name := range strings.Fields(string(out)) {
		if !strings.HasPrefix(name, ".") && !slices.Contains(topLevel, name) {
			t.Errorf("%s does not belong at the top level", name)
		}
	}
}

func TestNoRoomIsNamedAfterNothing(t *testing.T) {
	for _, p := range list(t, "./agent/...", "./infra/...", "./scripts/...") {
		base := p.ImportPath[strings.LastIndex(p.ImportPath, "/")+1:]
		if slices.Contains([]string{"util", "utils", "common", "helpers", "types", "manager", "misc"}, base) {
			t.Errorf("%s: a room is named by what it holds", p.ImportPath)
		}
	}
}

func TestFilesCanBeReadAtASitting(t *testing.T) {
	err := filepath.WalkDir("..", func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git" || d.Name() == "cdk.out" || d.Name() == ".cache") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		data, err := os.ReadFile(path)
		if n := strings.Count(string(data), "\n"); n > 700 {
			t.Errorf("%s has %d lines: it is two files that were not told apart", path, n)
		}
		return err
	})
	if err != nil {
		t.Error(fmt.Errorf("walk: %w", err))
	}
}
