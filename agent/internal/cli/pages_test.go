package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"buzon/agent/internal/config"
	"buzon/agent/internal/locale"
)

// top is the repository.
const top = "../../.."

// pages are all pages that a person reads, by their path from the top.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"README.md", ".github/*.md", "docs/*.md", "docs/*/*.md"} {
		files, err := filepath.Glob(filepath.Join(top, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", pattern, files, err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			rel, err := filepath.Rel(top, f)
			if err != nil {
				t.Fatal(err)
			}
			all[filepath.ToSlash(rel)] = string(text)
		}
	}
	return all
}

// part is a piece of a page: a heading, a line of code, or a row of a table.
type part struct {
	kind string // "#", "##", …, "code" or "row"
	text string
}

// parts are the pieces of a page that both languages must have alike.
func parts(page string) []part {
	var all []part
	fenced, shown, blank := false, false, true
	for line := range strings.Lines(page) {
		line = strings.TrimRight(line, "\n")
		indented := strings.HasPrefix(line, "    ") && (blank || len(all) > 0 && all[len(all)-1].kind == "code")
		switch {
		case strings.HasPrefix(line, "```"):
			fenced = !fenced
			if shown = line == "```text"; shown { // what a program prints in that language
				all = append(all, part{"shown", ""})
			}
		case fenced && shown:
		case fenced || indented:
			all = append(all, part{"code", line})
		case strings.HasPrefix(line, "#"):
			marks, text, _ := strings.Cut(line, " ")
			all = append(all, part{marks, text})
		case strings.HasPrefix(line, "|"):
			all = append(all, part{"row", line})
		}
		blank = strings.TrimSpace(line) == ""
	}
	return all
}

var (
	comment = regexp.MustCompile(`(^|\s)#\s.*$`)
	// stands are words that stand for something else, and are the reader's (VERSION, CARPETA, «recibos.jsonl»), and
	// values that are sentences.
	stands = regexp.MustCompile(`(reason: ).+|\[flags\]|\[opciones\]|\p{Lu}[\p{Lu}_]+|[\p{Ll}-]+\.(jsonl|json|yaml|html|csv)\b|\b(reader|lector|hello|hola)\b|"[^"]*"|…`)
)

// shape is what of a part both languages have alike.
func (p part) shape() string {
	switch p.kind {
	case "row":
		return fmt.Sprintf("row of %d", strings.Count(strings.ReplaceAll(p.text, `\|`, ""), "|"))
	case "code":
		return "code " + strings.Join(strings.Fields(stands.ReplaceAllString(comment.ReplaceAllString(p.text, ""), "X")), " ")
	}
	return p.kind
}

// TestPagesAreEqualInStructure: the same headings, tables and commands in the same order, in both languages.
func TestPagesAreEqualInStructure(t *testing.T) {
	all := pages(t)
	for path, en := range all {
		name, ok := strings.CutPrefix(path, "docs/en/")
		if !ok {
			continue
		}
		equalParts(t, name, parts(en), parts(all["docs/es/"+name]))
	}
	english, spanish, ok := strings.Cut(all["README.md"], "\n## Español\n")
	if !ok {
		t.Fatal("README.md has no half in Spanish")
	}
	_, english, _ = strings.Cut(english, "\n## English\n")
	equalParts(t, "README.md", parts(english), parts(spanish))
}

func equalParts(t *testing.T, name string, en, es []part) {
	t.Helper()
	for i := range max(len(en), len(es)) {
		switch {
		case i >= len(en):
			t.Errorf("%s: only in Spanish: %s %s", name, es[i].kind, es[i].text)
		case i >= len(es):
			t.Errorf("%s: only in English: %s %s", name, en[i].kind, en[i].text)
		case en[i].shape() != es[i].shape():
			t.Errorf("%s: the languages part here:\n  %s %s\n  %s %s", name, en[i].kind, en[i].text, es[i].kind, es[i].text)
		default:
			continue
		}
		return
	}
}

var link = regexp.MustCompile(`\]\(([^)#:]*)(#[^)]*)?\)`)

// slug is the anchor of a heading, as GitHub makes it.
func slug(heading string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(heading) {
		switch {
		case r == ' ':
			b.WriteByte('-')
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(r)
		}
	}
	return b.String()
}

// TestLinksLead holds every link between pages to a file, and to a heading in it.
func TestLinksLead(t *testing.T) {
	all := pages(t)
	for path, text := range all {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target := path
			if m[1] != "" {
				target = filepath.ToSlash(filepath.Join(filepath.Dir(path), m[1]))
			}
			if _, err := os.Stat(filepath.Join(top, target)); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", path, m[1])
				continue
			}
			anchor := strings.TrimPrefix(m[2], "#")
			headed := func(p part) bool { return strings.HasPrefix(p.kind, "#") && slug(p.text) == anchor }
			if anchor != "" && !slices.ContainsFunc(parts(all[target]), headed) {
				t.Errorf("%s: %s has no heading for #%s", path, target, anchor)
			}
		}
	}
}

var (
	span    = regexp.MustCompile("`([^`\n]+)`")
	typed   = regexp.MustCompile(`(?:^|[\s(;|&])(?:buzon-)?agent((?: +[^\s|;&>#)]+)*)`)
	script  = regexp.MustCompile(`(?:^|[\s(./])scripts/[a-z][a-z0-9/._-]*`)
	keyName = regexp.MustCompile(`^(object|identity|limits)\.[a-z_]+$`)
	// scriptFlag is one of a script's; cdk's are the CDK's.
	scriptFlag = regexp.MustCompile(` --[a-z][a-z-]*`)

	flag    = regexp.MustCompile(`^--[a-z][a-z-]*`)
	setting = regexp.MustCompile(`^([a-z][A-Za-z_]*): [^ ]`)
	row     = regexp.MustCompile("(?m)^\\| `([a-z][A-Za-z]*)` \\|")
)

// writtenIn are the lines and spans of a page that are typed or written into files.
func writtenIn(page string) []string {
	var all []string
	for _, p := range parts(page) {
		if p.kind == "code" {
			all = append(all, comment.ReplaceAllString(p.text, ""))
		}
	}
	for _, m := range span.FindAllStringSubmatch(page, -1) {
		all = append(all, strings.ReplaceAll(m[1], `\|`, "|"))
	}
	return all
}

// TestPagesNameWhatThereIs holds every command, flag, script and key of the configuration that a page names to
// one that exists.
func TestPagesNameWhatThereIs(t *testing.T) {
	root := commandTree("en")
	var keys []string
	for _, e := range config.Explain() {
		keys = append(keys, e.Name)
	}
	// What may be set: keys of the configuration by their last part, and the stack's settings, as the page of them has them.
	settable := []string{"kind", "room"} // of SARIF, of a commit
	for _, k := range keys {
		settable = append(settable, k[strings.LastIndex(k, ".")+1:])
	}
	for _, m := range row.FindAllStringSubmatch(pages(t)["docs/en/deploying.md"], -1) {
		settable = append(settable, m[1])
	}
	scripts := textOf(t, "scripts")
	seen := 0
	for path, text := range pages(t) {
		if strings.HasPrefix(path, "docs/decisions/") || path == "docs/CHANGELOG.md" {
			continue // these tell of what was
		}
		for _, c := range writtenIn(text) {
			for _, m := range typed.FindAllStringSubmatch(c, -1) {
				seen++
				if fault := calls(root, strings.Fields(m[1])); fault != "" {
					t.Errorf("%s: %s in %q", path, fault, c)
				}
			}
			for _, m := range script.FindAllString(c, -1) {
				name := strings.TrimRight(strings.TrimLeft(m, " \t(./"), "/.-")
				if _, err := os.Stat(filepath.Join(top, name)); err != nil {
					t.Errorf("%s: there is no %s", path, name)
				}
				_, rest, _ := strings.Cut(c, name)
				rest, _, _ = strings.Cut(rest, "|")
				for _, f := range scriptFlag.FindAllString(rest, -1) {
					if name != "scripts/cdk" && !strings.Contains(scripts, `"`+strings.Trim(f, " -")+`"`) && !strings.Contains(scripts, strings.TrimSpace(f)+" ") {
						t.Errorf("%s: %s has no flag %s in %q", path, name, f, c)
					}
				}
			}
			if m := setting.FindStringSubmatch(c); m != nil && !slices.Contains(settable, m[1]) {
				t.Errorf("%s: nothing is set as %q", path, c)
			}
			if keyName.MatchString(c) && !slices.Contains(keys, c) {
				t.Errorf("%s: there is no key %s", path, c)
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d commands were found in the pages", seen)
	}
}

// textOf is the programs and scripts below a folder, as one text.
func textOf(t *testing.T, folder string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(filepath.Join(top, folder), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != "" && filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		b.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// calls is what is wrong with a command line after its program; "" is nothing.
func calls(root *cobra.Command, words []string) string {
	cmd := root
	for i, word := range words {
		switch name := flag.FindString(word); {
		case name != "":
			if cmd.Flags().Lookup(name[2:]) == nil && cmd.InheritedFlags().Lookup(name[2:]) == nil && cmd.PersistentFlags().Lookup(name[2:]) == nil {
				return cmd.CommandPath() + " has no flag " + name
			}
		case cmd.HasSubCommands() && strings.TrimFunc(word, unicode.IsLower) == "":
			at := slices.IndexFunc(cmd.Commands(), func(c *cobra.Command) bool { return c.Name() == word })
			if at < 0 {
				return cmd.CommandPath() + " has no command " + word
			}
			cmd = cmd.Commands()[at]
		case cmd.HasSubCommands() && i == 0:
			for _, c := range cmd.Commands() {
				if c.Name() == word {
					cmd = c
				}
			}
		}
	}
	return ""
}

// commandTree is the command line in a language; it runs nothing.
func commandTree(lang string) *cobra.Command {
	a := &app{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, getenv: lookup(nil), secrets: newSecrets()}
	a.words = locale.Load(lang).With("with_config", locale.Raw(""), "with_state", locale.Raw(""), "with_all", locale.Raw(""))
	return newRoot(a, nil)
}

// commandReference is the page of commands: what each does, how it is called, examples, flags.
func commandReference(lang string) string {
	root := commandTree(lang)
	words := locale.Load(lang)
	var b strings.Builder
	table := func(title string, flags *pflag.FlagSet) {
		rows := flagRows(words, flags)
		if len(rows) == 0 {
			return
		}
		fmt.Fprintf(&b, "| %s | |\n|---|---|\n", strings.TrimSuffix(words.Text(title), ":"))
		for _, r := range rows {
			fmt.Fprintf(&b, "| `%s` | %s |\n", strings.ReplaceAll(strings.TrimSpace(r[0]), "|", `\|`), strings.ReplaceAll(r[1], "|", `\|`))
		}
		b.WriteString("\n")
	}
	var one func(cmd *cobra.Command)
	one = func(cmd *cobra.Command) {
		text := cmd.Long
		if text == "" {
			text = strings.TrimSuffix(cmd.Short, ".") + "."
		}
		fmt.Fprintf(&b, "## %s\n\n%s\n\n", cmd.CommandPath(), codeBlocks(paragraphs(text)))
		fmt.Fprintf(&b, "    %s\n", useLine(words, cmd))
		if cmd.Example != "" {
			fmt.Fprintf(&b, "\n%s\n\n  %s\n", words.Text("cli.help-examples"), strings.ReplaceAll(cmd.Example, "\n", "\n  "))
		}
		b.WriteString("\n")
		if cmd.HasParent() {
			table("cli.help-flags", cmd.NonInheritedFlags())
		} else {
			table("cli.help-global", cmd.PersistentFlags())
		}
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() || sub.Name() == "help" {
				one(sub)
			}
		}
	}
	one(root)
	return "\n" + strings.TrimRight(b.String(), "\n") + "\n\n"
}

// codeBlocks puts the indented lines of a text into blocks of code.
func codeBlocks(text string) string {
	return regexp.MustCompile(`\n(  [^ ].*)`).ReplaceAllString(text, "\n\n  $1")
}

// begun are the pages with which people begin.
var begun = []string{"README.md", "docs/en/start.md", "docs/es/start.md", "docs/en/installing.md", "docs/es/installing.md", "docs/en/origin.md", "docs/es/origin.md"}

// TestWhatPeopleBeginWithIsRun: every command of a page with which people begin is run by a test, or it is listed
// why none can.
func TestWhatPeopleBeginWithIsRun(t *testing.T) {
	all := pages(t)
	used := map[string]bool{}
	for _, path := range begun {
		lines := writtenIn(all[path])
		if strings.HasSuffix(path, "/origin.md") {
			lines = slices.DeleteFunc(lines, func(c string) bool { return !strings.HasPrefix(c, "agent ") || !strings.Contains(c, " --") })
		} else {
			lines = nil
			for _, p := range parts(all[path]) {
				if line := strings.TrimSpace(comment.ReplaceAllString(p.text, "")); p.kind == "code" && line != "" {
					lines = append(lines, line)
				}
			}
		}
		if len(lines) == 0 {
			t.Errorf("%s shows no command", path)
		}
		for _, line := range lines {
			at := slices.IndexFunc(runs, func(r run) bool { return strings.HasPrefix(line, r.command) })
			if at < 0 {
				t.Errorf("%s: nothing runs %q, and no reason is listed", path, line)
				continue
			}
			used[runs[at].command] = true
			if r := runs[at]; strings.HasSuffix(path, "/start.md") {
				continue // the whole page is run
			} else if r.file != "" && !strings.Contains(read(t, r.file), cmp(r.needle, line)) {
				t.Errorf("%s: %s does not run %q", path, r.file, cmp(r.needle, line))
			}
		}
	}
	for _, r := range runs {
		if !used[r.command] {
			t.Errorf("no page shows %q", r.command)
		}
	}
}

// cmp is the first text that isn't empty.
func cmp(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(top, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// run says by which file a command is run, and what stands there of it (else the line itself); or why it isn't run.
type run struct{ command, file, needle, why string }

const (
	startTest = "scripts/aws/e2e/start_test.go" // runs the blocks of start.md as they stand
	tour      = "scripts/aws/try/story.go"
	packages  = "scripts/packaging/package_test.go"
	originRun = "agent/testdata/script/docs_origin.txtar"
	system    = "it needs root and a running system; the package itself is unpacked and looked into by " + packages
)

// runs are the commands of the pages with which people begin, by how they begin.
var runs = []run{
	{command: "scripts/try --keep", file: startTest, needle: `"start.md"`},
	{command: "scripts/try", file: startTest, needle: `"start.md"`},
	{command: "TRY=", file: startTest, needle: "TRY="},
	{command: `. "$TRY/`, file: startTest, needle: `"start.md"`},
	{command: "echo hello", file: startTest, needle: `"start.md"`},
	{command: `rm -r "$TRY"`, file: startTest, needle: `"start.md"`},
	{command: `scripts/aws/stop "$TRY"`, file: startTest, needle: `"start.md"`},
	{command: "agent audit-policy --user", file: startTest, needle: `"start.md"`},
	{command: "scripts/test", why: "it is what runs the tests"},
	{command: "scripts/cdk bootstrap", file: tour, needle: `"scripts/cdk bootstrap"`},
	{command: "scripts/cdk deploy", file: tour, needle: `"scripts/cdk deploy"`},
	{command: "scripts/issue-key vm-01 -o vm-01.credentials", file: "scripts/aws/e2e/deploy_test.go", needle: "issue-key"},
	{command: "scripts/issue-key vm-01 -o - | ssh", why: "it needs ssh; the pipe is tried by scripts/keys"},
	{command: "scripts/agent-config vm-01 | ssh", why: "it needs ssh"},
	{command: "scripts/agent-config vm-01", file: "scripts/aws/e2e/deploy_test.go", needle: "agent-config"},
	{command: "scripts/package --only linux/amd64", file: packages, needle: `"--only", "linux/amd64"`},
	{command: "scripts/package", file: packages, needle: `"../package"`},
	{command: "sudo apt install", why: system},
	{command: "sudo dnf install", why: system},
	{command: "sudo install", why: system},
	{command: "sudo -u buzon", why: system},
	{command: "sudo systemctl", why: system},
	{command: "sudo mkdir", why: system},
	{command: "buzon-agent config systemd | sudo", why: system},
	{command: "buzon-agent config systemd", file: "agent/testdata/script/config_prints_what_the_service_needs.txtar", needle: "config systemd"},
	{command: "journalctl", why: system},
	{command: "systemctl status", why: system},
	{command: "agent audit-policy --all", file: "scripts/aws/e2e/deploy_test.go", needle: `"--all"`},
	{command: "aws iam get-account-authorization-details", why: "the AWS CLI is no part of the tests; its output is, in agent/internal/judge/sources"},
	{command: "agent audit-policy --authorization-details", file: "agent/testdata/script/audit_reads_templates_and_exports.txtar", needle: "agent audit-policy --authorization-details"},
	{command: "agent ", file: originRun},
}

// TestEveryCommandShowsExamples: in both languages, and each calls what there is.
func TestEveryCommandShowsExamples(t *testing.T) {
	for _, lang := range locale.Languages {
		root := commandTree(lang)
		var look func(cmd *cobra.Command)
		look = func(cmd *cobra.Command) {
			for line := range strings.Lines(cmd.Example) {
				for _, m := range typed.FindAllStringSubmatch(line, -1) {
					if fault := calls(root, strings.Fields(m[1])); fault != "" {
						t.Errorf("%s: %s: %s", lang, cmd.CommandPath(), fault)
					}
				}
			}
			if !strings.HasPrefix(cmd.Example, "  ") {
				t.Errorf("%s: %s has no example", lang, cmd.CommandPath())
			}
			for _, sub := range cmd.Commands() {
				look(sub)
			}
		}
		look(root)
	}
}

// TestConfigurationsOfPagesAreValid: whoever copies one from a page has one that works.
func TestConfigurationsOfPagesAreValid(t *testing.T) {
	found := 0
	for path, text := range pages(t) {
		for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(text, -1) {
			_, config, ok := strings.Cut("\n"+block[1], "\nbucket: ")
			if _, inside, cloud := strings.Cut(block[1], "\n      bucket: "); cloud { // in user data
				inside, _, _ = strings.Cut(inside, "\nruncmd:")
				config, ok = strings.ReplaceAll(inside, "\n      ", "\n"), true
			}
			if !ok {
				continue
			}
			found++
			file := filepath.Join(t.TempDir(), "agent.yaml")
			if err := os.WriteFile(file, []byte("bucket: "+config), 0o600); err != nil {
				t.Fatal(err)
			}
			var out, errs bytes.Buffer
			env := []string{"HOME=" + t.TempDir()}
			if code := Main(t.Context(), []string{"config", "validate", "--config", file}, strings.NewReader(""), &out, &errs, env); code != 0 {
				t.Errorf("%s: %s\n%s", path, errs.String(), config)
			}
		}
	}
	if found < 4 {
		t.Errorf("only %d configurations were found in the pages", found)
	}
}
