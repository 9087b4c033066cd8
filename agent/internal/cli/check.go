package cli

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"buzon/agent/internal/client"
	"buzon/agent/internal/config"
	"buzon/agent/internal/report"
	"buzon/agent/internal/send/gate"
	"buzon/agent/internal/send/outbox"
)

// checkOptions are the flags of check.
type checkOptions struct {
	config             *configFlags
	format             string
	noCanary, noProbes bool
	verbose            bool
}

func newCheck(a *app) *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:   "check",
		Short: a.words.Text("cli.check-short"),
		Long:  a.words.Text("cli.check-long"),
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return runCheck(cmd.Context(), a, o) },
	}
	o.config = a.addConfigFlags(cmd, true)
	cmd.Flags().StringVar(&o.format, "format", "text", a.words.Text("cli.check-format"))
	cmd.Flags().BoolVar(&o.noCanary, "no-canary", false, a.words.Text("cli.check-no-canary"))
	cmd.Flags().BoolVar(&o.noProbes, "no-probes", false, a.words.Text("cli.check-no-probes"))
	cmd.Flags().BoolVarP(&o.verbose, "verbose", "v", false, a.words.Text("cli.check-verbose"))
	return cmd
}

// runCheck makes the checks of the gate and shows them.
func runCheck(ctx context.Context, a *app, o checkOptions) error {
	if err := choice("--format", o.format, "text", "json"); err != nil {
		return err
	}
	c, err := o.config.load(a, "bucket", "prefix")
	if err != nil {
		return err
	}
	c.Identity.Canary = c.Identity.Canary && !o.noCanary
	c.Identity.Probes = c.Identity.Probes && !o.noProbes
	r := a.newGate(c).Pass(ctx, gate.Full)
	checked := report.Checked{Gate: r, Outboxes: lookInto(ctx, c.Outboxes), Keys: c.EmptyParts(), Loose: c.Loose, Verbose: o.verbose}
	if o.format == "json" {
		err = report.CheckJSON(a.stdout, a.words, checked, Version())
	} else {
		err = report.Check(a.stdout, a.words, checked, a.screen(a.stdout))
	}
	if err != nil {
		return err
	}
	return exit(gateCode(r))
}

// lookInto tells of each outbox how a writer would be seen in it.
func lookInto(ctx context.Context, outboxes []config.Outbox) []report.Outbox {
	var all []report.Outbox
	for _, o := range outboxes {
		shown := report.Outbox{Path: o.Path, Quiet: o.Quiet, Settle: string(o.Settle)}
		how, err := detect(ctx, o)
		switch {
		case errors.Is(err, outbox.ErrGone):
			shown.Fault = "missing"
		case errors.Is(err, outbox.ErrDenied):
			shown.Fault = "denied"
		case errors.Is(err, outbox.ErrNotFolder):
			shown.Fault = "no-folder"
		case err != nil:
			shown.Fault = "other"
		default:
			shown.How = string(how)
			if (how == outbox.ByQuiet || how == outbox.ByOwnLease) && (!o.QuietSet || o.Quiet == 0) {
				shown.Quiet = config.DefaultQuiet
				shown.Quiet *= 2 // as the outbox does where nothing can tell
			}
		}
		all = append(all, shown)
	}
	return all
}

func detect(ctx context.Context, o config.Outbox) (how outbox.How, err error) {
	box, err := outbox.Open(outbox.Options{Path: o.Path, Include: o.Include, Exclude: o.Exclude})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	return box.Detection(ctx)
}

// gateCode is the exit code of a pass through the gate.
func gateCode(r gate.Report) code {
	switch {
	case r.Passed:
		return done
	case r.Misconfigured:
		return badInput
	default:
		return notPassed
	}
}

// processTimeout bounds a credential_process; 0 is client's own. Tests shorten
// it.
var processTimeout time.Duration

// clientSettings are whom the configuration says to be, and where to go.
func (a *app) clientSettings(c *config.Config) client.Settings {
	return client.Settings{
		Profile: c.Identity.Profile, Region: c.Region, Endpoint: c.Endpoint, Addressing: client.Addressing(c.Addressing),
		Version: Version(), Secrets: a.secrets, ProcessTimeout: processTimeout,
	}
}

// gateSettings are what the configuration holds credentials to.
func gateSettings(c *config.Config) gate.Settings {
	return gate.Settings{
		Bucket: c.Bucket, Prefix: c.Prefix, Owner: c.BucketOwner,
		Expect: c.Identity.Expect, Method: gate.Method(c.Identity.Method),
		NeedExpect:      c.Identity.OnProblem == config.ProblemWait, // as the packaged service, which nobody watches
		WarnOverpowered: c.Identity.Overpowered == config.OverpoweredWarn,
		Replace:         c.OnConflict == config.ConflictReplace,
		Class:           c.Object.StorageClass, Tags: tagging(c),
		Canary: c.Identity.Canary, Probes: c.Identity.Probes,
		Recheck: c.Identity.Recheck, Removes: removes(c),
	}
}

// removes tells whether a file that was sent is moved or deleted.
func removes(c *config.Config) bool {
	return slices.ContainsFunc(c.Outboxes, func(o config.Outbox) bool { return o.Settle != config.SettleKeep })
}

// newGate is the gate that the configuration asks for.
func (a *app) newGate(c *config.Config) *gate.Gate {
	return gate.New(gateSettings(c), a.clientSettings(c), a.log)
}
