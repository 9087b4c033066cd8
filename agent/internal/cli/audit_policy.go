package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"buzon/agent/internal/client"
	"buzon/agent/internal/config"
	"buzon/agent/internal/judge/audit"
	"buzon/agent/internal/judge/sources"
	"buzon/agent/internal/locale"
	"buzon/agent/internal/report"
	"buzon/agent/policy"
)

// auditOptions are the flags of audit-policy.
type auditOptions struct {
	config  *configFlags
	sources sources.Selection
	loose   map[policy.Kind]*[]string
	allow   []string
	waivers []string
	strict  bool
	asks    bool // AWS's simulator
	budget  struct{ one, total time.Duration }
	verbose bool
	format  string
	file    string

	evidence evidenceOptions
}

// looseFlags are the flags that name one document each.
var looseFlags = []struct {
	flag string
	kind policy.Kind
}{
	{"identity-policy", policy.UserInline},
	{"group-policy", policy.GroupInline},
	{"boundary", policy.Boundary},
	{"session-policy", policy.Session},
	{"bucket-policy", policy.BucketPolicy},
	{"trust-policy", policy.Trust},
	{"key-policy", policy.KeyPolicy},
	{"access-point-policy", policy.AccessPoint},
	{"managed-policy", policy.UserManaged},
	{"rcp", policy.RCP},
	{"scp", policy.SCP},
}

func newAuditPolicy(a *app) *cobra.Command {
	o := &auditOptions{loose: map[policy.Kind]*[]string{}}
	cmd := &cobra.Command{
		Use:   "audit-policy",
		Short: a.words.Text("audit.short"),
		Long:  a.words.Text("audit.long"),
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.evidence.check(cmd.Flags()); err != nil {
				return err
			}
			return runAuditPolicy(cmd.Context(), a, o)
		},
	}
	o.config = a.addConfigFlags(cmd, true)
	f, s := cmd.Flags(), &o.sources
	f.StringArrayVar(&s.Users, "user", nil, a.words.Text("audit.flag-user"))
	f.StringArrayVar(&s.Roles, "role", nil, a.words.Text("audit.flag-role"))
	f.BoolVar(&s.All, "all", false, a.words.Text("audit.flag-all"))
	f.BoolVar(&s.AllBuckets, "all-buckets", false, a.words.Text("audit.flag-all-buckets"))
	f.StringArrayVar(&s.Templates, "template", nil, a.words.Text("audit.flag-template"))
	f.StringArrayVar(&s.Plans, "terraform-plan", nil, a.words.Text("audit.flag-terraform-plan"))
	f.StringArrayVar(&s.Parameters, "parameter", nil, a.words.Text("audit.flag-parameter"))
	f.StringArrayVar(&s.ParameterFiles, "parameters", nil, a.words.Text("audit.flag-parameters"))
	f.StringArrayVar(&s.Exports, "authorization-details", nil, a.words.Text("audit.flag-authorization-details"))
	for _, l := range looseFlags {
		o.loose[l.kind] = f.StringArray(l.flag, nil, a.words.Text("audit.flag-"+l.flag))
	}
	f.StringArrayVar(&s.Principals, "principal", nil, a.words.Text("audit.flag-principal"))
	f.StringArrayVar(&s.Tags, "principal-tag", nil, a.words.Text("audit.flag-principal-tag"))
	f.StringVar(&s.PrincipalID, "principal-id", "", a.words.Text("audit.flag-principal-id"))
	f.StringVar(&s.BucketAccount, "bucket-account", "", a.words.Text("audit.flag-bucket-account"))
	f.StringVar(&s.Path, "path", "/buzon/", a.words.Text("audit.flag-path"))
	f.StringArrayVar(&o.allow, "allow", nil, a.words.Text("audit.flag-allow"))
	f.StringArrayVar(&s.Compare, "compare", nil, a.words.Text("audit.flag-compare"))
	f.StringArrayVar(&o.waivers, "waivers", nil, a.words.Text("audit.flag-waivers"))
	f.BoolVar(&o.strict, "strict", false, a.words.Text("audit.flag-strict"))
	f.BoolVar(&o.asks, "simulate", false, a.words.Text("audit.flag-simulate"))
	f.DurationVar(&o.budget.one, "budget", time.Minute, a.words.Text("audit.flag-budget"))
	f.DurationVar(&o.budget.total, "budget-total", 15*time.Minute, a.words.Text("audit.flag-budget-total"))
	f.BoolVar(&o.verbose, "verbose", false, a.words.Text("audit.flag-verbose"))
	f.StringVar(&o.format, "format", "text", a.words.Text("audit.flag-format"))
	f.StringVarP(&o.file, "output", "o", "", a.words.Text("audit.flag-output"))
	o.evidence.flags(f, a.words)
	return cmd
}

// check gathers the documents, and refuses flags that don't go together.
func (o *auditOptions) check() error {
	if !strings.HasPrefix(o.sources.Path, "/") || !strings.HasSuffix(o.sources.Path, "/") {
		return usage("audit.bad-path", "got", o.sources.Path)
	}
	for _, l := range looseFlags {
		for _, given := range *o.loose[l.kind] {
			o.sources.Documents = append(o.sources.Documents, looseDocument(l.flag, l.kind, given))
		}
	}
	if o.sources.Empty() {
		return usage("audit.no-source")
	}
	if s := o.sources; len(s.Compare) > 0 && (!s.Live() && len(s.Exports) == 0 || len(s.Templates) > 0) {
		return usage("audit.compare-alone")
	}
	if o.sources.AllBuckets && !o.sources.Live() {
		return usage("audit.all-buckets-alone")
	}
	if o.asks && !o.sources.Live() {
		return usage("audit.simulate-alone")
	}
	if err := o.sources.Check(); err != nil {
		return fail(badInput, err)
	}
	if err := audit.CheckAllow(o.allow); err != nil {
		return fail(badInput, err)
	}
	return nil
}

func runAuditPolicy(ctx context.Context, a *app, o *auditOptions) error {
	if err := choice("--format", o.format, "text", "json", "sarif", "csv", "html"); err != nil {
		return err
	}
	if o.evidence.verify != "" {
		return runVerify(ctx, a, o)
	}
	if err := o.check(); err != nil {
		return err
	}
	defer collectLate()()
	waivers, err := o.accepted(a)
	if err != nil {
		return err
	}
	access, err := o.target(ctx, a)
	if err != nil {
		return err
	}
	found, err := sources.Load(ctx, o.sources, access)
	if access.Progress != nil && terminal(a.stderr) {
		fmt.Fprint(a.stderr, "\r\x1b[K")
	}
	if err != nil {
		return a.sourcesError(err)
	}
	opts := audit.Options{
		Allow: o.allow, Waivers: waivers, Strict: o.strict, Version: Version(), Region: o.sources.Region, Caller: found.Caller, Command: shown(a.args),
		Time: o.budget.one, TotalTime: o.budget.total,
	}
	result := audit.Judge(ctx, found, opts)
	if o.asks && ctx.Err() == nil {
		if err := sources.Simulate(ctx, found, o.sources, access, audit.ToSimulate(result)); err != nil {
			return a.sourcesError(err)
		}
		result = audit.Judge(ctx, found, opts)
	}
	if ctx.Err() != nil {
		return fail(undecided, sentence("audit.interrupted"))
	}
	if o.evidence.file != "" {
		if err := o.evidence.make(ctx, a, result, found, opts); err != nil {
			return err
		}
	}
	err = o.output(a, result, found.Secrets, func(w io.Writer, s screen) error { return o.print(a, w, result, found, s) })
	if err != nil {
		return err
	}
	return exit(codeOfAudit(result, o.strict))
}

// codeOfAudit is the code that a report ends with.
func codeOfAudit(result *audit.Report, strict bool) code {
	var codes []code
	if result.Refused(strict) {
		codes = append(codes, answerNo)
	}
	if result.Undecided() {
		codes = append(codes, undecided)
	}
	return worst(codes...)
}

// looseDocument takes apart what was given for one document: [LEVEL=]FILE of an
// SCP, [ARN=]FILE of what hangs on something with an ARN.
func looseDocument(flag string, kind policy.Kind, given string) sources.Document {
	d := sources.Document{Kind: kind, File: given, Flag: "--" + flag}
	before, file, ok := strings.Cut(given, "=")
	switch {
	case !ok:
	case kind == policy.SCP:
		d.Level, d.File = before, file
	case strings.HasPrefix(before, "arn:"):
		d.On, d.File = before, file
	}
	return d
}

// accepted reads the files of waivers.
func (o *auditOptions) accepted(a *app) ([]audit.WaiverRule, error) {
	var out []audit.WaiverRule
	for _, file := range o.waivers {
		text, err := a.readFile(file)
		if err != nil {
			return nil, fail(badInput, fmt.Errorf("read %s: %w", file, err))
		}
		list, err := audit.ParseWaivers(file, text)
		if err != nil {
			return nil, a.sourcesError(err)
		}
		out = append(out, list...)
	}
	return out, nil
}

// shown is a command as a report may hold it: values of parameters, which may be
// secret, are left out.
func shown(args []string) []string {
	out := slices.Clone(args)
	for i, arg := range out {
		value, given := strings.CutPrefix(arg, "--parameter=")
		if i > 0 && args[i-1] == "--parameter" {
			value, given = arg, true
		}
		if name, _, ok := strings.Cut(value, "="); given && ok {
			out[i] = strings.TrimSuffix(arg, value) + name + "=…"
		}
	}
	return out
}

// target takes bucket, prefix and Region from flags and configuration, and
// connects to AWS where a source is live.
func (o *auditOptions) target(ctx context.Context, a *app) (sources.Access, error) {
	access := sources.Access{ReadFile: a.readFile, Stdin: a.words.Text("audit.stdin")}
	s := &o.sources
	flags := *o.config
	if flags.path == "" && !s.Live() && (len(s.Templates) > 0 || flags.given("bucket") && flags.given("prefix")) {
		flags.path = os.DevNull // this host's own agent has nothing to say here, nor can it be in the way
	}
	c, err := flags.load(a)
	if err != nil {
		return access, err
	}
	// What this host's own agent writes to says nothing about a template, whose
	// outputs name its bucket and prefix.
	given := func(key string) bool {
		return len(s.Templates) == 0 || o.config.path != "" || c.From(key).Kind == config.FromFlag
	}
	if given("bucket") {
		s.Bucket = c.Bucket
	}
	if given("prefix") {
		s.Prefix = c.Prefix
	}
	s.Region = c.Region
	if !s.Live() {
		return access, nil
	}
	access.AWS, err = client.Load(ctx, a.clientSettings(c))
	if err != nil {
		return access, fail(notPassed, err)
	}
	access.Progress = a.auditProgress()
	return access, nil
}

// progressEvery is how often live reads are told of where there is no terminal.
const progressEvery = 10 * time.Second

// auditProgress tells how far the live reads are: in one line on a terminal, and
// elsewhere in a line now and then.
func (a *app) auditProgress() func(sources.Progress) {
	onTerminal, told := terminal(a.stderr), time.Now()
	return func(p sources.Progress) {
		text := a.words.Text("audit.reading", "principal", p.Principal, "done", p.Done, "all", p.All)
		switch {
		case p.Waiting != "":
			text = a.words.Text("audit.waiting", "call", p.Waiting, "what", p.Principal)
		case p.All == 0:
			text = a.words.Text("audit.reading-account", "done", p.Done)
		}
		switch {
		case onTerminal:
			fmt.Fprintf(a.stderr, "\r\x1b[K%s", text)
		case p.Waiting != "", time.Since(told) >= progressEvery:
			told = time.Now()
			fmt.Fprintln(a.stderr, text)
		}
	}
}

// readFile reads a file, or standard input for "-".
func (a *app) readFile(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(io.LimitReader(a.stdin, policy.MaxFile+1))
	}
	return os.ReadFile(name) //nolint:gosec // the operator names it
}

// sourcesError gives an error of the sources its exit code and words.
func (a *app) sourcesError(err error) error {
	var faults policy.Errors
	if errors.As(err, &faults) {
		var all []error
		for _, e := range faults {
			all = append(all, said(report.Place(a.words, locale.Clean(e.File), e.Pos)+": "+report.Fault(a.words, e)))
		}
		return fail(badInput, errors.Join(all...))
	}
	var use *sources.UsageError
	var nobody *sources.NobodyError
	var lost *sources.ReadError
	switch {
	case errors.Is(err, context.Canceled):
		return fail(undecided, sentence("audit.interrupted"))
	case errors.As(err, &use), errors.As(err, &nobody):
		return fail(badInput, err)
	case errors.As(err, &lost):
		if client.Classify(err).Class == client.Credential {
			return fail(notPassed, err)
		}
		return fail(undecided, err)
	}
	return fail(badInput, err)
}

// screen is what a report is written for.
type screen struct {
	color bool
	width int // 0 is without limit
}

// output prints a report to standard output or to a file, without the secrets of its sources.
func (o *auditOptions) output(a *app, result *audit.Report, secrets []string, print func(io.Writer, screen) error) error {
	if len(secrets) > 0 {
		plain := print
		print = func(w io.Writer, s screen) error {
			var b strings.Builder
			if err := plain(&b, s); err != nil {
				return err
			}
			_, err := io.WriteString(w, concealing(secrets)(b.String()))
			return err
		}
	}
	if o.file == "" {
		return print(a.stdout, screen{a.colorful(a.stdout), a.width(a.stdout)})
	}
	if folder := filepath.Dir(o.file); !isFolder(folder) {
		return fail(badInput, sentence("audit.no-folder", "folder", folder, "file", o.file))
	}
	f, err := os.Create(o.file)
	if err != nil {
		return fail(badInput, err)
	}
	w := bufio.NewWriter(f)
	if err := errors.Join(print(w, screen{width: a.width(w)}), w.Flush(), f.Close()); err != nil {
		return fail(badInput, fmt.Errorf("write %s: %w", o.file, err))
	}
	fmt.Fprintln(a.stderr, a.words.Text("audit.written", "verdict", string(result.Verdict), "file", o.file))
	return nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func (o *auditOptions) print(a *app, w io.Writer, result *audit.Report, found *sources.Found, s screen) error {
	switch o.format {
	case "json":
		return report.AuditJSON(w, a.words, result)
	case "sarif":
		return report.AuditSARIF(w, a.words, result)
	case "csv":
		return report.AuditCSV(w, a.words, result)
	case "html":
		return report.AuditHTML(w, a.words, result, found.Texts)
	}
	return report.Audit(w, a.words, result, report.AuditOptions{Texts: found.Texts, Color: s.color, Width: s.width, Verbose: o.verbose})
}

// auditMemory is how much memory an audit may take before garbage is collected: most end
// below it, and of others a third went into collecting. What they keep stays well below
// it (reach and strset forget what they have too much of), so that collections are rare.
const auditMemory = 165 << 20

// collectLate puts collections off until the memory is used; whoever sets GOGC or
// GOMEMLIMIT is obeyed. What it returns undoes it.
func collectLate() (undo func()) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	percent, limit := debug.SetGCPercent(-1), debug.SetMemoryLimit(auditMemory)
	return func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}
}
