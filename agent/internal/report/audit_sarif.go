package report

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"buzon/agent/internal/judge/audit"
	"buzon/agent/internal/locale"
	"buzon/agent/policy"
)

// AuditSARIF writes an audit as SARIF 2.1.0 (OASIS): a result for each finding and open
// question, with the place of the statement at fault. Texts are in the language of the
// printer.
func AuditSARIF(w io.Writer, p *locale.Printer, r *audit.Report) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(newSARIF(p, r))
}

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool        sarifTool         `json:"tool"`
	Language    string            `json:"language"`
	ColumnKind  string            `json:"columnKind"`
	Invocations []sarifInvocation `json:"invocations"`
	Results     []sarifResult     `json:"results"`
	Properties  map[string]any    `json:"properties"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name    string      `json:"name"`
	Version string      `json:"version"`
	Rules   []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID      string         `json:"id"`
	Short   sarifText      `json:"shortDescription"`
	Help    *sarifText     `json:"help,omitempty"`
	Default sarifRuleLevel `json:"defaultConfiguration"`
}

type sarifRuleLevel struct {
	Level string `json:"level"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifInvocation struct {
	CommandLine string `json:"commandLine,omitempty"`
	Successful  bool   `json:"executionSuccessful"`
	End         string `json:"endTimeUtc"`
}

type sarifResult struct {
	RuleID       string             `json:"ruleId"`
	RuleIndex    int                `json:"ruleIndex"`
	Kind         string             `json:"kind"`
	Level        string             `json:"level"`
	Message      sarifText          `json:"message"`
	Locations    []sarifLocation    `json:"locations"`
	Related      []sarifLocation    `json:"relatedLocations,omitempty"`
	Fingerprints map[string]string  `json:"partialFingerprints"`
	Suppressions []sarifSuppression `json:"suppressions"`
	Properties   map[string]any     `json:"properties"`
}

type sarifLocation struct {
	ID       int            `json:"id,omitempty"`
	Physical *sarifPhysical `json:"physicalLocation,omitempty"`
	Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	Message  *sarifText     `json:"message,omitempty"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
	Region   *sarifRegion  `json:"region,omitempty"`
}

type sarifArtifact struct {
	URI string `json:"uri"`
}

type sarifRegion struct {
	StartLine   int `json:"startLine"`
	StartColumn int `json:"startColumn,omitempty"`
}

type sarifLogical struct {
	Name string `json:"fullyQualifiedName"`
	Kind string `json:"kind"`
}

type sarifSuppression struct {
	Kind          string         `json:"kind"`
	Status        string         `json:"status"`
	Justification string         `json:"justification"`
	Properties    map[string]any `json:"properties"`
}

// openRule is the rule of questions that are no rule's own.
const openRule = "undecided"

func newSARIF(p *locale.Printer, r *audit.Report) *sarifLog {
	run := sarifRun{
		Tool:     sarifTool{sarifDriver{Name: "buzon", Version: r.Tool.Version, Rules: sarifRules(p)}},
		Language: p.Lang(), ColumnKind: "unicodeCodePoints", Results: []sarifResult{},
		Invocations: []sarifInvocation{{
			CommandLine: strings.Join(mapped(r.Command, locale.Shell), " "), Successful: true, End: r.Generated.Format("2006-01-02T15:04:05Z"),
		}},
		Properties: map[string]any{"verdict": r.Verdict, "strict": r.Strict, "catalogue": r.Tool.Catalogue, "not_judged": r.NotJudged},
	}
	index := map[string]int{}
	for i, rule := range run.Tool.Driver.Rules {
		index[rule.ID] = i
	}
	for i := range r.Principals {
		of := &r.Principals[i]
		for j := range of.Findings {
			run.Results = append(run.Results, sarifFinding(p, of, &of.Findings[j]))
		}
		for j := range of.Undecided {
			run.Results = append(run.Results, sarifOpen(p, of, &of.Undecided[j]))
		}
	}
	for i := range r.Findings {
		run.Results = append(run.Results, sarifFinding(p, nil, &r.Findings[i]))
	}
	for i := range run.Results {
		run.Results[i].RuleIndex = index[run.Results[i].RuleID]
	}
	return &sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}}
}

func sarifRules(p *locale.Printer) []sarifRule {
	var out []sarifRule
	for _, rule := range audit.Rules {
		out = append(out, sarifRule{
			ID: string(rule.ID), Short: sarifText{p.Text("report.audit-rule-" + string(rule.ID))},
			Help: &sarifText{p.Text("report.audit-help", "rule", string(rule.ID))}, Default: sarifRuleLevel{string(rule.Severity)},
		})
	}
	return append(out, sarifRule{ID: openRule, Short: sarifText{p.Text("report.audit-means-undecided")}, Default: sarifRuleLevel{"none"}})
}

func sarifFinding(p *locale.Printer, of *audit.Principal, f *audit.Finding) sarifResult {
	text := title(p, f)
	action := strings.Join(f.Actions, " ")
	if w := f.Witness; w != nil {
		action = w.Action
		id := "report.audit-witness"
		if w.Latent {
			id = "report.audit-latent"
		}
		text += "\n" + p.Text(id, "action", w.Action, "resource", w.Resource)
		if len(w.Context) > 0 {
			text += ", " + p.Text("report.audit-context", "context", contextText(w.Context))
		}
	}
	for i := range f.Stops {
		text += "\n" + stopText(p, &f.Stops[i])
	}
	text += "\n" + p.Text("report.audit-fix") + " " + fix(p, of, f)
	out := sarifResult{
		RuleID: string(f.Rule), Kind: "fail", Level: string(f.Severity), Suppressions: []sarifSuppression{},
		Properties: map[string]any{"actions": listed(f.Actions)},
	}
	arn := ""
	if of != nil {
		arn = of.ARN
		text = p.Text("report.audit-of-principal", "principal", arn) + " " + text
		out.Properties["principal"], out.Properties["verdict"] = arn, of.Verdict
	}
	if len(f.When) > 0 {
		text += "\n" + p.Text("report.audit-when", "conditions", strings.Join(f.When, "; "))
	}
	out.Message = sarifText{text}
	out.Fingerprints = fingerprint(string(f.Rule), arn, action, f.Detail)
	for i := range f.Because {
		out.place(p, of, &f.Because[i], i)
	}
	for _, l := range f.Lacks {
		out.Locations = append(out.Locations, placed(of, l.File, l.Line, l.Column))
	}
	if len(out.Locations) == 0 {
		out.Locations = []sarifLocation{placed(of, "", 0, 0)}
	}
	if len(out.Locations) > 1 {
		out.Related, out.Locations = append(out.Related, out.Locations[1:]...), out.Locations[:1]
	}
	for i := range out.Related {
		out.Related[i].ID = i + 1
	}
	if w := f.Waived; w != nil {
		out.Suppressions = append(out.Suppressions, sarifSuppression{
			Kind: "external", Status: "accepted", Justification: w.Reason, Properties: map[string]any{"who": w.Who, "until": w.Until},
		})
	}
	return out
}

// place adds the place of a statement: the first is the result's own.
func (r *sarifResult) place(p *locale.Printer, of *audit.Principal, b *audit.Because, n int) {
	src, st := b.In()
	if src == nil {
		return
	}
	l := placed(of, src.File, 0, 0)
	if st != nil {
		l = placed(of, src.File, st.Pos.Line, st.Pos.Column)
	}
	if src.File == "" {
		l.Logical = append(l.Logical, sarifLogical{Name: src.Name, Kind: "resource"})
	}
	if n > 0 {
		l.Message = &sarifText{statementName(p, b)}
	}
	r.Locations = append(r.Locations, l)
}

// placed is a place in a file; of what was read live it is the principal's file in a
// bundle of evidence.
func placed(of *audit.Principal, file string, line, column int) sarifLocation {
	var l sarifLocation
	if of != nil {
		l.Logical = []sarifLogical{{Name: of.ARN, Kind: "resource"}}
	}
	switch {
	case file != "":
		l.Physical = &sarifPhysical{Artifact: sarifArtifact{uri(file)}}
		if line > 0 {
			l.Physical.Region = &sarifRegion{line, column}
		}
	case of != nil:
		l.Physical = &sarifPhysical{Artifact: sarifArtifact{uri(bundleFile(of))}}
	}
	return l
}

// bundleFile is where a bundle of evidence holds a principal: iam/user/NAME.json.
func bundleFile(of *audit.Principal) string {
	kind := "user"
	if of.Subject() != nil && of.Subject().Set.Subject.Type != policy.User {
		kind = "role"
	}
	return "iam/" + kind + "/" + of.ARN[strings.LastIndexByte(of.ARN, '/')+1:] + ".json"
}

// uri is a file's name as SARIF takes it: relative names stay so.
func uri(file string) string {
	if file == "-" {
		return "stdin"
	}
	u := url.URL{Path: filepath.ToSlash(file)}
	if filepath.IsAbs(file) {
		u.Scheme = "file"
	}
	return strings.TrimPrefix(u.String(), "./")
}

func sarifOpen(p *locale.Printer, of *audit.Principal, u *audit.Undecided) sarifResult {
	rule := string(u.Rule)
	if rule == "" || u.Reason == audit.ReasonAssumption {
		rule = openRule
	}
	text := p.Text("report.audit-of-principal", "principal", of.ARN) + " " + openText(p, u)
	if len(u.When) > 0 {
		text += "\n" + p.Text("report.audit-when", "conditions", strings.Join(u.When, "; "))
	}
	out := sarifResult{
		RuleID: rule, Kind: "open", Level: "none", Message: sarifText{text}, Suppressions: []sarifSuppression{},
		Fingerprints: fingerprint(rule, of.ARN, u.Reason, u.What),
		Properties:   map[string]any{"principal": of.ARN, "verdict": of.Verdict, "reason": u.Reason},
	}
	out.place(p, of, &u.Because, 0)
	if len(out.Locations) == 0 {
		out.Locations = []sarifLocation{placed(of, u.File, u.Line, u.Column)}
	}
	return out
}

// fingerprint tells a result from others of later runs by its rule, principal and
// action, wherever the statement stands then.
func fingerprint(rule, principal, action, detail string) map[string]string {
	sum := sha256.Sum256([]byte(strings.Join([]string{rule, principal, action, detail}, "\x00")))
	return map[string]string{"rulePrincipalAction/v1": hex.EncodeToString(sum[:])}
}
