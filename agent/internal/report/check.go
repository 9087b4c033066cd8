package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"buzon/agent/internal/locale"
	"buzon/agent/internal/send/gate"
)

// Outbox is an outbox as `check` shows it.
type Outbox struct {
	Path string
	// How a writer would be seen in it, in outbox's words.
	How    string
	Quiet  time.Duration // that its files must rest, besides
	Settle string
	// Fault is why it can't be looked into: missing, denied, no-folder, other;
	// "" if it can.
	Fault string
}

// Checked is everything that `check` shows.
type Checked struct {
	Gate     gate.Report
	Outboxes []Outbox
	Keys     []string // templates of keys that some files can't have
	Loose    []string // files and folders that the agent goes by, and that their group may write
	// Verbose lists every probe; else those that are refused, as they must be, are one line.
	Verbose bool
}

// checkLine is one line of the table with what follows below it.
type checkLine struct {
	status               gate.Status
	name, text, exchange string
}

// Check writes a pass through the gate as text: a line for each check, with
// what was asked and answered; under it what to do, where something is to be
// done. The outboxes come last.
func Check(w io.Writer, p *locale.Printer, c Checked, screen Screen) error {
	lines := checkLines(p, c)
	width := 0
	for _, l := range lines {
		width = max(width, locale.Columns(l.name))
	}
	var b strings.Builder
	for _, l := range lines {
		mark := screen.mark(p, string(l.status))
		left := locale.Columns(mark) + 1 + width + 2
		text, rest, hint := strings.Cut(l.text, "\n")
		if l.exchange != "" {
			text += " " + screen.paint(dim, "["+locale.Clean(l.exchange)+"]")
		}
		text += screen.word(p, string(l.status))
		if hint {
			text += "\n" + rest
		}
		all := screen.lines(text, left)
		fmt.Fprintf(&b, "%s %s%s  %s\n", mark, l.name, strings.Repeat(" ", width-locale.Columns(l.name)), strings.TrimLeft(all[0], " "))
		for _, line := range all[1:] {
			b.WriteString(line + "\n")
		}
	}
	b.WriteByte('\n')
	for _, s := range conclusion(p, c) {
		screen.say(&b, s)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// checkLines are the lines of the table in their order.
func checkLines(p *locale.Printer, c Checked) []checkLine {
	var lines []checkLine
	refused := 0
	fold := func() {
		if refused > 0 {
			lines = append(lines, checkLine{gate.OK, p.Text("check.name-probes"), p.Text("check.probes-refused", "n", refused), ""})
		}
		refused = 0
	}
	for i, text := range sentences(p, c.Gate, c.Gate.Checks) {
		one := c.Gate.Checks[i]
		if !c.Verbose && one.Outcome == gate.ProbeRefused && one.Status == gate.OK {
			refused++
			continue
		}
		if !isProbe(one) {
			fold()
		}
		lines = append(lines, checkLine{one.Status, checkName(p, one), text, exchange(p, one)})
	}
	fold()
	for _, path := range c.Loose {
		lines = append(lines, checkLine{gate.Warning, p.Text("check.name-files"), p.Text("check.loose", "path", path), ""})
	}
	for _, key := range c.Keys {
		lines = append(lines, checkLine{gate.Warning, p.Text("check.name-key"), p.Text("check.empty-part", "key", key), ""})
	}
	for _, o := range c.Outboxes {
		lines = append(lines, checkLine{o.status(), p.Text("check.name-outbox"), o.sentence(p), ""})
	}
	return lines
}

// status is ✓ where a writer would be seen, – where only time tells.
func (o Outbox) status() gate.Status {
	switch {
	case o.Fault != "":
		return gate.Warning
	case o.How == "quiet", o.How == "own-lease":
		return gate.Unproven
	default:
		return gate.OK
	}
}

func (o Outbox) sentence(p *locale.Printer) string {
	if o.Fault != "" {
		return p.Text("check.outbox-"+o.Fault, "path", o.Path)
	}
	return p.Text("check.how-"+o.How, "path", o.Path, "quiet", o.Quiet)
}

// conclusion is what follows from all checks.
func conclusion(p *locale.Printer, c Checked) []string {
	r := c.Gate
	var all []string
	if powers := powers(p, r); len(powers) > 0 {
		all = append(all, p.Text("check.overpowered", "permissions", powers))
	}
	switch {
	case !r.Passed:
		all = append(all, p.Text("check.not-passed"))
	case warned(r) || len(c.Loose)+len(c.Keys) > 0 || slices.ContainsFunc(c.Outboxes, func(o Outbox) bool { return o.status() == gate.Warning }):
		all = append(all, p.Text("check.passed-warned"))
	default:
		all = append(all, p.Text("check.passed"))
	}
	if r.Passed && probed(r) {
		all = append(all, p.Text("check.samples", "who", auditFlag(r), "bucket", r.Bucket, "prefix", wholePrefix(r.Prefix)))
	}
	return all
}

// powers are the permissions too many, each once.
func powers(p *locale.Printer, r gate.Report) []string {
	var all []string
	for _, c := range r.Checks {
		permission := c.Permission
		if c.Outcome == gate.BesideAllowed {
			permission = p.Text("check.beside", "permission", permission)
		}
		if permission != "" && !slices.Contains(all, permission) {
			all = append(all, permission)
		}
	}
	return all
}

func warned(r gate.Report) bool {
	for _, c := range r.Checks {
		if c.Status == gate.Warning {
			return true
		}
	}
	return false
}

func probed(r gate.Report) bool {
	for _, c := range r.Checks {
		if c.Outcome == gate.ProbeRefused {
			return true
		}
	}
	return false
}

// Refusal is what run and upload say when the gate is not passed: that nothing
// was sent, then every check that failed with what to type.
func Refusal(p *locale.Printer, r gate.Report) string {
	var failed []gate.Check
	said := map[string]bool{}
	for _, c := range r.Checks {
		if s := sentence(p, r, c); c.Status == gate.Failed && !said[s] {
			said[s] = true
			failed = append(failed, c)
		}
	}
	head := "check.refusal"
	if r.Undecided {
		head = "check.refusal-undecided"
	}
	all := append([]string{p.Text(head)}, sentences(p, r, failed)...)
	return strings.Join(append(all, p.Text("check.look")), "\n")
}

// sentences are the checks in words. What to do stands once, under the last of those that want the
// same.
func sentences(p *locale.Printer, r gate.Report, checks []gate.Check) []string {
	all := make([]string, len(checks))
	told := map[string]bool{}
	for i := len(checks) - 1; i >= 0; i-- {
		all[i] = sentence(p, r, checks[i])
		first, rest, _ := strings.Cut(all[i], "\n")
		if rest != "" && told[rest] {
			all[i] = first
		}
		told[rest] = true
	}
	return all
}

// Waiting is what a sender says while it waits for a gate that is not passed: the first check that failed.
func Waiting(p *locale.Printer, r gate.Report) string {
	if first := r.First(); first != nil {
		return sentence(p, r, *first)
	}
	return p.Text("check.not-passed")
}

// CheckWarnings are the sentences of a passed report that still matter.
func CheckWarnings(p *locale.Printer, r gate.Report) []string {
	var all []string
	for _, c := range r.Checks {
		if c.Status == gate.Warning {
			all = append(all, sentence(p, r, c))
		}
	}
	return all
}

// isProbe says that a check is one of the requests that must be refused.
func isProbe(c gate.Check) bool {
	return slices.ContainsFunc(gate.Probes, func(probe gate.Probe) bool { return probe.ID == c.ID })
}

func checkName(p *locale.Printer, c gate.Check) string {
	switch c.ID {
	case gate.CheckSource, gate.CheckTrap, gate.CheckEndpoint, gate.CheckProxy, gate.CheckIdentity, gate.CheckClock, gate.CheckExpected,
		gate.CheckBucket, gate.CheckStore, gate.CheckCanary, gate.CheckConflict, gate.CheckTags, gate.CheckClass, gate.CheckProbes:
		return p.Text("check.name-" + string(c.ID))
	}
	return p.Text("check.name-probe")
}

// exchange is the question and its answer, in the protocol's words.
func exchange(p *locale.Printer, c gate.Check) string {
	answered := c.Answered
	if why := silence(p, c); why != "" {
		answered = why
	}
	switch {
	case c.Asked == "" || answered == "":
		return c.Asked + answered
	default:
		return c.Asked + p.Signs(" → ") + answered
	}
}

// silence is why nobody answered, in words; "" if somebody did.
func silence(p *locale.Printer, c gate.Check) string {
	if c.Args["silence"] == "" {
		return ""
	}
	text := p.Text("check.silence-" + c.Args["silence"])
	if host := c.Args["host"]; host != "" {
		text += ": " + host
	}
	return text
}

// placeholders are the arguments that a check may lack.
var placeholders = []string{"path", "profile", "key", "old", "code", "places", "kind", "line", "mode", "variable", "missing", "timeout",
	"answer", "region", "right", "bucket", "prefix", "owner", "offset", "arn", "account", "wanted", "expect", "expectable",
	"endpoint", "sts", "proxy", "store", "permission", "what", "address", "class", "lack", "where", "ended"}

// codes are those of credentials that have words of their own.
var codes = []string{"timeout", "unreachable", "rubbish", "odd", "mark", "utf-16", "indented", "shell", "line", "space", "quotes", "control", "letters",
	"tilde", "missing", "folder", "kind", "unreadable", "empty", "certificate", "user", "scheme", "host", "special", "size"}

// sentence is a check in words.
func sentence(p *locale.Printer, r gate.Report, c gate.Check) string {
	profile := r.Source.Profile
	if r.Source.Kind == "" {
		profile = c.Args["profile"]
	}
	args := append(make([]any, 0, 2*(len(c.Args)+len(placeholders)+5)),
		"who", auditFlag(r), "at", profileFlag(profile), "write", locale.Raw(writeAnew(r, c, profile)), "place", place(p, r),
		"prefix", wholePrefix(r.Prefix))
	if why := silence(p, c); why != "" {
		args = append(args, "answer", why)
	}
	for name, value := range c.Args {
		switch {
		case value == "":
			value = p.Signs("–")
		case name == "kind":
			value = p.Text("check.kind-" + value)
		case name == "code" && slices.Contains(codes, value):
			value = p.Text("check.code-" + value)
		case name == "ended":
			if at, err := time.Parse(time.RFC3339, value); err == nil {
				args = append(args, name, at)
				continue
			}
		case name == "offset":
			value = drift(p, value)
		case name == "lack":
			value = p.Text("check.lack-" + value)
		}
		args = append(args, name, value)
	}
	for _, name := range placeholders {
		args = append(args, name, "–") // the first of a name wins
	}
	text := p.Text(string(c.Outcome), args...)
	if said := c.Args["said"]; said != "" && c.Status != gate.OK {
		first, rest, more := strings.Cut(text, "\n")
		if text = first + " " + p.Text("check.said", "said", strings.TrimSuffix(said, ".")); more {
			text += "\n" + rest
		}
	}
	if until, err := time.Parse(time.RFC3339, c.Args["expires"]); err == nil {
		text += " " + p.Text("check.expires", "expires", until)
	}
	return text
}

// profileFlag is how the AWS command line is told of a profile; "" where it
// would take it by itself.
func profileFlag(profile string) locale.Raw {
	if profile == "" || profile == "default" {
		return ""
	}
	return locale.Raw(" --profile " + locale.Shell(profile))
}

// wholePrefix is a prefix as it is typed: / is the whole bucket.
func wholePrefix(prefix string) string {
	if prefix == "" {
		return "/"
	}
	return prefix
}

// writeAnew is the command with which the platform team puts a key where it comes from: into the file that is in force,
// with its owner and mode. A service's key has no place in a person's home.
func writeAnew(r gate.Report, c gate.Check, profile string) string {
	switch string(r.Source.Kind) {
	case "sso":
		return "aws sso login" + string(profileFlag(profile))
	case "login":
		return "aws login" + string(profileFlag(profile))
	case "process", "role", "web-identity", "container", "instance":
		return "agent check --log-level debug" // it is not a key that is written
	case "environment":
		return "scripts/issue-key " + uploaderOf(c)
	}
	path, owner, mode := r.Source.File, r.Source.Owner, strings.TrimLeft(r.Source.Mode, "0")
	if path == "" {
		path = c.Args["path"]
	}
	if owner == "" {
		owner = "buzon"
	}
	if mode == "" {
		mode = "600"
	}
	return "scripts/issue-key " + uploaderOf(c) + " -o - | ssh VM 'sudo install -m" + mode + " -o " + owner + " /dev/stdin " + path + "'"
}

// uploaderOf is the name of the uploader that is expected, where one is.
func uploaderOf(c gate.Check) string {
	if user := c.Args["expect"]; strings.Contains(user, ":user/") {
		return user[strings.LastIndexByte(user, '/')+1:]
	}
	return "NAME"
}

// place is where the credentials come from, in words.
func place(p *locale.Printer, r gate.Report) string {
	switch {
	case r.Source.Kind == "environment":
		return p.Text("check.place-environment")
	case r.Source.File != "":
		return p.Text("check.place-file", "path", r.Source.File, "user", r.Source.Owner, "mode", r.Source.Mode)
	case r.Source.Kind != "":
		return p.Text("check.kind-" + string(r.Source.Kind))
	}
	return p.Signs("–")
}

// drift is how wrong the clock is, in words.
func drift(p *locale.Printer, offset string) string {
	switch d, err := time.ParseDuration(offset); {
	case err != nil:
		return p.Text("check.clock-wrong")
	case d < 0:
		return p.Text("check.clock-slow", "by", -d)
	default:
		return p.Text("check.clock-fast", "by", d)
	}
}

// auditFlag is how audit-policy is told of this key's principal.
func auditFlag(r gate.Report) locale.Raw {
	if r.Identity != nil {
		fields := strings.SplitN(r.Identity.ARN, ":", 6)
		resource := fields[len(fields)-1]
		parts := strings.Split(resource, "/")
		switch {
		case strings.HasPrefix(resource, "user/"):
			return locale.Raw("--user " + locale.Shell(parts[len(parts)-1]))
		case strings.HasPrefix(resource, "assumed-role/"):
			return locale.Raw("--role " + locale.Shell(parts[1]))
		}
	}
	return "--user NAME"
}
