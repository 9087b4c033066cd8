package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif" // for the standard's schema, which it holds
	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/net/html"

	"buzon/agent/internal/judge/audit"
	"buzon/agent/internal/judge/sources"
	"buzon/agent/internal/locale"
	"buzon/agent/policy"
)

const (
	vm       = "arn:aws:iam::111122223333:user/buzon/vm-01"
	contract = `{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/p/*"}`
)

// hostile is a Sid, a name and a file as an attacker would choose them.
const hostile = `=HYPERLINK("http://x")<script>alert(1)</script>`

type auditCase struct {
	name  string
	files map[policy.Kind]string
	text  string // of a template, in place of files
	sel   sources.Selection
	opts  audit.Options
}

func documentOf(statements ...string) string {
	return "{\"Version\": \"2012-10-17\", \"Statement\": [\n" + strings.Join(statements, ",\n") + "\n]}"
}

// cases hold every kind of thing that a report can say.
func auditCases(t *testing.T) []auditCase {
	t.Helper()
	waivers, err := audit.ParseWaivers("w.yaml", []byte(`waivers:
  - {rule: read-object, principal: "`+vm+`", reason: "=agreed, for \"now\"", who: r.lopez, until: 2026-12-31}
  - {rule: list, principal: "arn:aws:iam::111122223333:user/buzon/vm-09", reason: r, who: w, until: 2026-12-31}
  - {rule: escalate, principal: "`+vm+`", reason: r, who: w, until: 2026-01-31}
`))
	if err != nil {
		t.Fatal(err)
	}
	read := `{"Sid": "Read", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/p/*"}`
	return []auditCase{
		{name: "write-only", files: map[policy.Kind]string{policy.UserInline: documentOf(contract)}},
		{name: "strict", files: map[policy.Kind]string{policy.UserInline: documentOf(contract)}, opts: audit.Options{Strict: true}},
		{name: "everything", files: map[policy.Kind]string{policy.UserInline: documentOf(`{"Effect": "Allow", "Action": "*", "Resource": "*"}`)}},
		{name: "waived", files: map[policy.Kind]string{policy.UserInline: documentOf(contract, read)}, opts: audit.Options{Waivers: waivers}},
		{name: "latent", files: map[policy.Kind]string{
			policy.UserInline: documentOf(`{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}`), policy.Boundary: documentOf(contract),
			policy.BucketPolicy: documentOf(`{"Sid": "` + "Guard <b>" + `", "Effect": "Deny", "Principal": "*", "NotAction": "s3:PutObject", "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]}`),
		}},
		{name: "no-access", files: map[policy.Kind]string{policy.UserInline: documentOf(`{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/p/*", "Condition": {"StringEquals": {"s3:x-amz-acl": "private"}}}`)}},
		{name: "from an address", files: map[policy.Kind]string{policy.UserInline: documentOf(contract, `{"Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::c/*", "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}`)}},
		{name: "template", text: `Parameters: {Stage: {Type: String, AllowedValues: [prod, dev]}}
Conditions: {Prod: !Equals [!Ref Stage, prod]}
Resources:
  U:
    Type: AWS::IAM::User
    Properties:
      Path: /buzon/
      UserName: vm-01
      Policies:
        - PolicyName: "` + strings.ReplaceAll(hostile, `"`, `\"`) + `"
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - {Effect: Allow, Action: "s3:PutObject", Resource: "arn:aws:s3:::b/p/*"}
              - !If [Prod, {Effect: Allow, Action: "s3:GetObject", Resource: "*"}, !Ref AWS::NoValue]
              - Effect: Allow
                Action: s3:ListBucket
                Resource: "*"
`},
	}
}

// judgedOnce keeps the reports of the cases: they are the same for every test.
var judgedOnce = map[string]struct {
	report *audit.Report
	texts  map[string][]byte
}{}

func (c auditCase) judge(t *testing.T) (*audit.Report, map[string][]byte) {
	t.Helper()
	done, there := judgedOnce[c.name]
	if !there {
		done.report, done.texts = c.judgeNow(t)
		judgedOnce[c.name] = done
	}
	return done.report, done.texts
}

func (c auditCase) judgeNow(t *testing.T) (*audit.Report, map[string][]byte) {
	t.Helper()
	texts := map[string]string{}
	sel := c.sel
	sel.Bucket, sel.Prefix, sel.Region = "b", "p/", "eu-west-1"
	if c.text != "" {
		texts["stack.yaml"] = c.text
		sel.Templates = []string{"stack.yaml"}
	} else {
		sel.Principals = []string{vm}
	}
	for kind, text := range c.files {
		texts[string(kind)+".json"] = text
		sel.Documents = append(sel.Documents, sources.Document{Kind: kind, File: string(kind) + ".json"})
	}
	found, err := sources.Load(t.Context(), sel, sources.Access{ReadFile: func(name string) ([]byte, error) {
		if text, ok := texts[name]; ok {
			return []byte(text), nil
		}
		return nil, os.ErrNotExist
	}})
	if err != nil {
		t.Fatal(err)
	}
	c.opts.Now = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	c.opts.Version, c.opts.Region, c.opts.Command = "v", "eu-west-1", []string{"audit-policy", "--prefix", "p q/"}
	return audit.Judge(t.Context(), found, c.opts), found.Texts
}

// each runs a test on every case in both languages.
func eachAudit(t *testing.T, test func(t *testing.T, p *locale.Printer, r *audit.Report, texts map[string][]byte)) {
	t.Helper()
	for _, c := range auditCases(t) {
		r, texts := c.judge(t)
		for _, lang := range locale.Languages {
			t.Run(c.name+" "+lang, func(t *testing.T) { test(t, locale.Load(lang), r, texts) })
		}
	}
}

// Whatever a report holds, its JSON form is what the published schema says, and holds no
// field that the schema doesn't know.
func TestTheJSONFormIsItsSchema(t *testing.T) {
	text, err := os.ReadFile("../../../docs/schemas/audit-v1.json")
	if err != nil {
		t.Fatal(err)
	}
	// Closed for the test: a new field must be published too.
	closed := regexp.MustCompile(`"type": "object",\s*"properties"`).ReplaceAllString(string(text), `"type": "object", "unevaluatedProperties": false, "properties"`)
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(closed))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("audit.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("audit.json")
	if err != nil {
		t.Fatal(err)
	}
	eachAudit(t, func(t *testing.T, p *locale.Printer, r *audit.Report, _ map[string][]byte) {
		var b bytes.Buffer
		if err := AuditJSON(&b, p, r); err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(b.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Error(err)
		}
		if strings.Contains(b.String(), "null,\n  \"") && !strings.Contains(b.String(), `"waived": null`) {
			t.Error("a list is null")
		}
	})
	if err := schema.Validate(map[string]any{"schema": "buzon/audit/v1"}); err == nil {
		t.Error("the schema takes anything")
	}
}

func TestTheSchemaNamesEveryRule(t *testing.T) {
	text, err := os.ReadFile("../../../docs/schemas/audit-v1.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range audit.Rules {
		if !strings.Contains(string(text), `"`+string(rule.ID)+`"`) {
			t.Errorf("%s isn't in the schema", rule.ID)
		}
	}
}

// sarifSchema is OASIS's schema of SARIF 2.1.0, out of the source of the module that holds
// it: its own check writes a log anew, with faults of its own.
func sarifSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif").Output()
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(strings.TrimSpace(string(dir)), "schema.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var text string
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && len(lit.Value) > len(text) {
			text = lit.Value
		}
		return true
	})
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(strings.Trim(text, "`")))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("sarif.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("sarif.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestSARIFIsWhatTheStandardSays(t *testing.T) {
	schema := sarifSchema(t)
	if err := schema.Validate(map[string]any{"version": "2.1.0"}); err == nil {
		t.Fatal("the schema takes anything")
	}
	eachAudit(t, func(t *testing.T, p *locale.Printer, r *audit.Report, _ map[string][]byte) {
		var b bytes.Buffer
		if err := AuditSARIF(&b, p, r); err != nil {
			t.Fatal(err)
		}
		log, err := jsonschema.UnmarshalJSON(bytes.NewReader(b.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(log); err != nil {
			t.Error(err)
		}
		var own sarifLog
		if err := json.Unmarshal(b.Bytes(), &own); err != nil {
			t.Fatal(err)
		}
		run := own.Runs[0]
		want := len(r.Findings)
		for i := range r.Principals {
			want += len(r.Principals[i].Findings) + len(r.Principals[i].Undecided)
		}
		if len(run.Results) != want || run.Language != p.Lang() {
			t.Errorf("%d results, want %d", len(run.Results), want)
		}
		seen := map[string]bool{}
		for _, res := range run.Results {
			print := res.RuleID + res.Fingerprints["rulePrincipalAction/v1"]
			if seen[print] || len(res.Fingerprints) != 1 {
				t.Errorf("two results with one fingerprint: %s", res.Message.Text)
			}
			seen[print] = true
			if run.Tool.Driver.Rules[res.RuleIndex].ID != res.RuleID || (res.Kind == "open") != (res.Level == "none") {
				t.Errorf("%s %s %s", res.RuleID, res.Kind, res.Level)
			}
			if len(res.Locations) != 1 || strings.ContainsAny(res.Locations[0].Physical.Artifact.URI, " <>\"") {
				t.Errorf("%s: %+v", res.RuleID, res.Locations)
			}
			if res.RuleID == "read-object" && res.Locations[0].Physical.Region == nil {
				t.Errorf("a finding without its place: %+v", res)
			}
		}
	})
}

func TestSARIFOfAWaivedFindingIsSuppressed(t *testing.T) {
	for _, c := range auditCases(t) {
		if c.name != "waived" {
			continue
		}
		r, _ := c.judge(t)
		log := newSARIF(locale.Load("en"), r)
		for _, res := range log.Runs[0].Results {
			if (res.RuleID == "read-object") != (len(res.Suppressions) == 1) {
				t.Errorf("%s: %+v", res.RuleID, res.Suppressions)
			}
		}
	}
}

func TestCSVIsReadBackWhole(t *testing.T) {
	eachAudit(t, func(t *testing.T, p *locale.Printer, r *audit.Report, _ map[string][]byte) {
		var b bytes.Buffer
		if err := AuditCSV(&b, p, r); err != nil {
			t.Fatal(err)
		}
		if strings.Count(b.String(), "\n") != strings.Count(b.String(), "\r\n") {
			t.Error("a line that doesn't end as RFC 4180 has it")
		}
		rows, err := csv.NewReader(&b).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		want := 1 + len(r.Findings)
		for i := range r.Principals {
			want += max(1, len(r.Principals[i].Findings)+len(r.Principals[i].Undecided))
		}
		if len(rows) != want || !slices.Equal(rows[0], csvHead) {
			t.Errorf("%d rows, want %d", len(rows), want)
		}
		for _, row := range rows {
			for _, cell := range row {
				if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
					t.Errorf("a formula: %q", cell)
				}
			}
		}
	})
	for cell, want := range map[string]string{"=1": "'=1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "a=1": "a=1", "": ""} {
		if got := harmless(cell); got != want {
			t.Errorf("%q becomes %q, want %q", cell, got, want)
		}
	}
}

// The page needs nothing else, runs nothing, and takes nothing from a document for its
// own.
func TestThePageStandsAlone(t *testing.T) {
	eachAudit(t, func(t *testing.T, p *locale.Printer, r *audit.Report, texts map[string][]byte) {
		var b bytes.Buffer
		if err := AuditHTML(&b, p, r, texts); err != nil {
			t.Fatal(err)
		}
		root, err := html.Parse(bytes.NewReader(b.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		ids, count := map[string]bool{}, map[string]int{}
		level := 0
		for n := range root.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			count[n.Data]++
			if slices.Contains([]string{"script", "link", "img", "iframe", "object", "form", "b"}, n.Data) {
				t.Errorf("an element %s", n.Data)
			}
			if len(n.Data) == 2 && n.Data[0] == 'h' && n.Data[1] >= '1' && n.Data[1] <= '6' {
				if now := int(n.Data[1] - '0'); now > level+1 {
					t.Errorf("a heading %s after one of level %d", n.Data, level)
				} else {
					level = now
				}
			}
			for _, a := range n.Attr {
				switch {
				case strings.HasPrefix(a.Key, "on"), a.Key == "src":
					t.Errorf("an attribute %s", a.Key)
				case a.Key == "href" && !strings.HasPrefix(a.Val, "#"):
					t.Errorf("a link to %s", a.Val)
				case a.Key == "id" && ids[a.Val]:
					t.Errorf("the id %s twice", a.Val)
				case a.Key == "id":
					ids[a.Val] = true
				}
			}
		}
		if count["h1"] != 1 || count["main"] != 1 || count["h2"] < len(r.Principals)+1 || count["caption"] != count["table"] {
			t.Errorf("%v", count)
		}
		if !strings.Contains(b.String(), `<html lang="`+p.Lang()+`">`) {
			t.Error("no language")
		}
		for i := range r.Principals {
			for _, f := range r.Principals[i].Findings {
				if len(f.Because) > 0 && f.Rule != audit.RuleDrift && count["mark"] == 0 {
					t.Errorf("no statement is marked for %s", f.Rule)
				}
			}
		}
	})
}

// What one statement breaks stands under it, and it is quoted once for each severity.
func TestThePageQuotesAStatementOnce(t *testing.T) {
	for _, c := range auditCases(t) {
		if c.name != "everything" {
			continue
		}
		r, texts := c.judge(t)
		var b strings.Builder
		if err := AuditHTML(&b, locale.Load("en"), r, texts); err != nil {
			t.Fatal(err)
		}
		if quoted, findings := strings.Count(b.String(), "<figure>"), len(r.Principals[0].Findings); findings < 8 || quoted > 2 {
			t.Errorf("%d findings quote their statement %d times", findings, quoted)
		}
	}
}

// No line is wider than the screen, but for one of a single word and a quoted one.
func TestTheTextFitsTheScreen(t *testing.T) {
	eachAudit(t, func(t *testing.T, p *locale.Printer, r *audit.Report, texts map[string][]byte) {
		for _, width := range []int{40, 80, 120} {
			var b bytes.Buffer
			if err := Audit(&b, p, r, AuditOptions{Texts: texts, Width: width}); err != nil {
				t.Fatal(err)
			}
			for _, line := range strings.Split(b.String(), "\n") {
				if locale.Columns(line) > width && len(strings.Fields(line)) > 2 && !strings.Contains(line, " │ ") && !strings.Contains(line, "scripts/") && !strings.Contains(line, "aws ") {
					t.Errorf("%d columns: %q", width, line)
				}
			}
		}
	})
}

func TestTheTextNamesEachStatementAndItsLineOnce(t *testing.T) {
	for _, c := range auditCases(t) {
		r, texts := c.judge(t)
		var short, long bytes.Buffer
		p := locale.Load("en")
		if err := Audit(&short, p, r, AuditOptions{Texts: texts, Width: 80}); err != nil {
			t.Fatal(err)
		}
		if err := Audit(&long, p, r, AuditOptions{Texts: texts, Width: 80, Verbose: true}); err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, line := range strings.Split(short.String(), "\n") {
			if number, quoted, ok := strings.Cut(line, " │ "); ok && strings.TrimSpace(number) != "" {
				if seen[number+quoted] {
					t.Errorf("%s: quoted twice: %q", c.name, line)
				}
				seen[number+quoted] = true
			}
		}
		for _, word := range []string{string(r.Verdict), "Decided by", "eu-west-1", "sha256 ", "What this is no proof of", "p q/", "111122223333"} {
			if word == "111122223333" && c.text != "" {
				continue
			}
			if !strings.Contains(short.String(), word) {
				t.Errorf("%s: no %q", c.name, word)
			}
		}
		if long.Len() < short.Len() || strings.Contains(long.String(), "--verbose") {
			t.Errorf("%s: --verbose leaves out", c.name)
		}
	}
}

// The pages say what each assumption is, and the report what would settle it.
func TestEveryAssumptionIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../locale/en.json")
	if err != nil {
		t.Fatal(err)
	}
	var texts map[string]any
	if err := json.Unmarshal(text, &texts); err != nil {
		t.Fatal(err)
	}
	n := 0
	for id := range texts {
		topic, ok := strings.CutPrefix(id, "report.audit-topic-")
		if !ok {
			continue
		}
		n++
		if texts["report.audit-remedy-"+topic] == nil {
			t.Errorf("nothing settles %s", topic)
		}
		for _, lang := range locale.Languages {
			page, err := os.ReadFile("../../../docs/" + lang + "/auditing.md")
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(page), "| `"+topic+"` |") {
				t.Errorf("docs/%s/auditing.md doesn't say what %s is", lang, topic)
			}
		}
	}
	if n < 15 {
		t.Errorf("%d topics", n)
	}
}

// A fleet has the same reasons and warnings many times; they are said once.
func TestAFleetIsNotTheSameParagraphManyTimes(t *testing.T) {
	c := auditCase{name: "fleet", files: map[policy.Kind]string{policy.UserInline: `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/p/${aws:username}/*"}}`}}
	sel := sources.Selection{Bucket: "b", Prefix: "p/{name}/", Documents: []sources.Document{{Kind: policy.UserInline, File: "w.json"}}}
	for _, name := range []string{"vm-01", "vm-02", "vm-03", "vm-04", "vm-05", "vm-06", "vm-07", "vm-08"} {
		sel.Principals = append(sel.Principals, "arn:aws:iam::111122223333:user/buzon/"+name)
	}
	found, err := sources.Load(t.Context(), sel, sources.Access{ReadFile: func(string) ([]byte, error) { return []byte(c.files[policy.UserInline]), nil }})
	if err != nil {
		t.Fatal(err)
	}
	r := audit.Judge(t.Context(), found, audit.Options{})
	if len(r.Principals) != 8 || r.Verdict != audit.WriteOnly {
		t.Fatalf("%d %s", len(r.Principals), r.Verdict)
	}
	var short, long bytes.Buffer
	p := locale.Load("en")
	if err := Audit(&short, p, r, AuditOptions{Texts: found.Texts, Width: 400}); err != nil {
		t.Fatal(err)
	}
	if err := Audit(&long, p, r, AuditOptions{Texts: found.Texts, Width: 400, Verbose: true}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(short.String(), "\n"); n > 160 || strings.Count(short.String(), "Why it holds:") != 8 || strings.Count(short.String(), "outlives-key") != 8 {
		t.Errorf("%d lines for 8 principals:\n%s", n, short.String())
	}
	if strings.Count(long.String(), "with aws:TokenIssueTime") != 8 {
		t.Error("--verbose leaves out a witness")
	}
}
