package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"buzon/agent/internal/config"
	"buzon/agent/internal/judge/audit"
	"buzon/agent/internal/locale"
	"buzon/agent/internal/send/courier"
	"buzon/agent/internal/send/gate"
	"buzon/agent/internal/send/outbox"
	"buzon/agent/internal/serve"
)

const docs = "../../../docs"

// TestBothLanguagesHaveTheSamePages: a page that is only in one language is
// half a page, and one that the index doesn't name is not found.
func TestBothLanguagesHaveTheSamePages(t *testing.T) {
	pages := map[string][]string{}
	for _, lang := range locale.Languages {
		files, err := filepath.Glob(filepath.Join(docs, lang, "*.md"))
		if err != nil || len(files) == 0 {
			t.Fatalf("docs/%s: %v, %v", lang, files, err)
		}
		index, err := os.ReadFile(filepath.Join(docs, lang, "README.md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			name := filepath.Base(f)
			pages[lang] = append(pages[lang], name)
			if name != "README.md" && !strings.Contains(string(index), "]("+name+")") {
				t.Errorf("docs/%s/README.md does not name %s", lang, name)
			}
		}
	}
	if en, es := pages["en"], pages["es"]; !slices.Equal(en, es) {
		t.Errorf("docs/en has %v, docs/es %v", en, es)
	}
}

var generated = regexp.MustCompile(`(?s)<!-- generated: ([a-z]+) -->\n(.*?)<!-- end -->\n`)

// TestTablesAreTheCodes holds the tables of the pages to those that they tell
// of. BUZON_WRITE_DOCS=1 go test ./agent/internal/cli -run TestTables writes
// them again.
func TestTablesAreTheCodes(t *testing.T) {
	tables := 0
	for _, lang := range locale.Languages {
		p := locale.Load(lang)
		files, err := filepath.Glob(filepath.Join(docs, lang, "*.md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			now := generated.ReplaceAllStringFunc(string(text), func(old string) string {
				tables++
				name := generated.FindStringSubmatch(old)[1]
				return fmt.Sprintf("<!-- generated: %s -->\n%s<!-- end -->\n", name, table(t, p, lang, name))
			})
			if now == string(text) {
				continue
			}
			if os.Getenv("BUZON_WRITE_DOCS") == "" {
				t.Errorf("%s: a table is not what the code has.\nBUZON_WRITE_DOCS=1 go test ./agent/internal/cli -run TestTables", f)
			} else if err := os.WriteFile(f, []byte(now), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if tables == 0 {
		t.Error("no page has a generated table")
	}
}

// heads are the first lines of the tables.
var heads = map[string]map[string]string{
	"en": {"exits": "| code | meaning |", "rules": "| rule | severity | broken when |", "reasons": "| reason | meaning | what to do |", "keys": "| key | default | meaning |", "outboxkeys": "| key | default | meaning |", "problems": "| kind | what is wrong | command |",
		"probes": "| probe | request | on | permission |", "messages": "| message | what to do |", "metrics": "| metric | type | label | meaning |"},
	"es": {"exits": "| código | significado |", "rules": "| regla | gravedad | se rompe cuando |", "reasons": "| motivo | significado | qué hacer |", "keys": "| clave | valor por defecto | significado |", "outboxkeys": "| clave | valor por defecto | significado |", "problems": "| clase | qué pasa | orden |",
		"probes": "| sonda | solicitud | en | permiso |", "messages": "| mensaje | qué hacer |", "metrics": "| métrica | tipo | etiqueta | significado |"},
}

// table is a table of the docs, as the code has it.
func table(t *testing.T, p *locale.Printer, lang, name string) string {
	t.Helper()
	var b strings.Builder
	head := heads[lang][name]
	if head != "" {
		b.WriteString(head + "\n" + strings.Repeat("|---", strings.Count(head, "|")-1) + "|\n")
	}
	switch name {
	case "exits":
		for _, e := range exits {
			fmt.Fprintf(&b, "| %d | %s |\n", e.code, p.Text(e.meaning))
		}
	case "rules":
		for _, r := range audit.Rules {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r.ID, severities[lang][r.Severity], p.Text("report.audit-rule-"+string(r.ID)))
		}
	case "reasons":
		for _, r := range courier.Reasons {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r, p.Text("courier.reason-"+string(r)), p.Text("courier.remedy-"+string(r)))
		}
	case "keys", "outboxkeys":
		for _, e := range config.Explain() {
			key, outbox := strings.CutPrefix(e.Name, "outboxes.")
			if outbox != (name == "outboxkeys") {
				continue
			}
			def := e.Default
			switch {
			case def != "":
				def = "`" + def + "`"
			case p.Has(e.ElseID()):
				def = p.Text(e.ElseID())
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", key, def, p.Text(e.TextID()))
			if e.Name == "state" {
				fmt.Fprintf(&b, "| `outboxes` | | %s |\n", p.Text("config.means-outboxes"))
			}
		}
	case "problems":
		p := p.With("with_all", locale.Raw(""), "with_state", locale.Raw(""), "with_config", locale.Raw(""), "outbox", "OUTBOX", "path", "PATH",
			"parent", "FOLDER", "folder", "STATE", "pid", "PID")
		for _, kind := range courier.ProblemKinds {
			fmt.Fprintf(&b, "| `%s` | %s | `%s` |\n", kind, p.Text("status.why-"+string(kind)), strings.TrimSpace(p.Text("status.remedy-"+string(kind))))
		}
	case "metrics":
		b.WriteString(metricRows(p))
	case "report":
		b.WriteString(auditReport(t, lang))
	case "commands":
		b.WriteString(commandReference(lang))
	case "excludes":
		b.WriteString("`" + strings.Join(outbox.BuiltinExcludes, "` `") + "`\n")
	case "probes":
		for _, probe := range gate.Probes {
			fmt.Fprintf(&b, "| `%s` | `%s` | %s | `%s` |\n", probe.ID, probe.Operation, targets[lang][probe.Target], probe.Permission)
		}
	case "messages":
		b.WriteString(messages(t, lang))
	default:
		t.Fatalf("there is no table %q", name)
	}
	return b.String()
}

// metricRows are the metrics with all that their labels may be.
func metricRows(p *locale.Printer) string {
	l := metricLabels()
	values := map[string][]string{
		"buzon_state": l.States, "buzon_problems": l.Kinds, "buzon_credential_state": l.Credentials, "buzon_files_total": l.Endings,
		"buzon_retries_total": l.Classes, "buzon_attempt_duration_seconds": {"success", "failure"},
	}
	var b strings.Builder
	for _, m := range serve.Described() {
		label := ""
		if m.Label != "" {
			label = "`" + m.Label + "`"
		}
		if all := values[m.Name]; all != nil {
			label += ": `" + strings.Join(all, "` `") + "`"
		}
		id := "serve.metric-" + strings.ReplaceAll(strings.TrimPrefix(m.Name, "buzon_"), "_", "-")
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.Name, m.Type, label, p.Text(id))
	}
	return b.String()
}

// severities are those of the rules, as they stand in reports.
var severities = map[string]map[audit.Severity]string{
	"en": {audit.Error: "error", audit.Warning: "warning"},
	"es": {audit.Error: "error", audit.Warning: "advertencia (`warning`)"},
}

// targets are what the gate's probes are aimed at.
var targets = map[string]map[gate.Target]string{
	"en": {gate.OnCanary: "the canary", gate.OnBucket: "the bucket", gate.OnAccount: "the account", gate.Beside: "`.buzon-probe`, outside the prefix", gate.OnAbsent: "`PREFIX.buzon/absent`, which never exists"},
	"es": {gate.OnCanary: "el canario", gate.OnBucket: "el bucket", gate.OnAccount: "la cuenta", gate.Beside: "`.buzon-probe`, fuera del prefijo", gate.OnAbsent: "`PREFIJO.buzon/absent`, que no existe nunca"},
}

// messages are the gate's sentences that say what to do, in the order of their
// ids, as they stand in the locale.
func messages(t *testing.T, lang string) string {
	t.Helper()
	data, err := os.ReadFile("../locale/" + lang + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var texts map[string]any // a text, or its plurals
	if err := json.Unmarshal(data, &texts); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, id := range slices.Sorted(maps.Keys(texts)) {
		if !strings.HasPrefix(id, "credentials.") && !strings.HasPrefix(id, "gate.") {
			continue
		}
		text, _ := texts[id].(string)
		said, remedy, ok := strings.Cut(text, "\n")
		if !ok {
			continue
		}
		what, command, _ := strings.Cut(remedy, "\n  ")
		command = strings.NewReplacer("{with_all}", "", "{with_state}", "", "{with_config}", "", "{write}", "scripts/issue-key NAME -o - | ssh VM 'sudo install -m600 -o buzon /dev/stdin {path}'", "{at}", " --profile {profile}").Replace(command)
		fmt.Fprintf(&b, "| %s | %s `%s` |\n", said, strings.ReplaceAll(what, "\n", " "), command)
	}
	return b.String()
}

// TestEveryKeyIsExplained holds the reference of the configuration to its keys
// and their defaults.
func TestEveryKeyIsExplained(t *testing.T) {
	for _, lang := range locale.Languages {
		text, err := os.ReadFile(filepath.Join(docs, lang, "configuration.md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range config.Keys() {
			row := "| `" + k.Name + "` | "
			if k.Default != "" {
				row += "`" + k.Default + "` |"
			}
			if n := strings.Count(string(text), row); n < 1 {
				t.Errorf("docs/%s/configuration.md has no row that begins with %s", lang, row)
			}
		}
	}
}

// auditReport is what the audit says of the contract, as a page shows it.
func auditReport(t *testing.T, lang string) string {
	t.Helper()
	var out, errs bytes.Buffer
	args := []string{"audit-policy", "--identity-policy", "-", "--principal", vm01, "--bucket", "acme-uploads", "--prefix", "uploads/vm-01/"}
	env := []string{"COLUMNS=90", "LANG=" + lang + ".UTF-8"}
	if code := Main(t.Context(), args, strings.NewReader(writeOnlyPolicy), &out, &errs, env); code != 0 {
		t.Fatalf("the audit ends with %d\n%s%s", code, out.String(), errs.String())
	}
	text := out.String()
	for _, c := range changing {
		text = c.pattern.ReplaceAllString(text, c.to)
	}
	return "```text\n" + strings.TrimRight(text, "\n") + "\n```\n"
}
