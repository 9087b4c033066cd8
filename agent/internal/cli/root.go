// Package cli is the command line of the agent: flags, wiring, exit codes and
// the wording of errors.
//
// Main runs one command and returns the exit code; it is all that main calls.
// Each command is one file with a constructor newX(app) that is listed in the
// table commands below. A constructor adds flags and a RunE, which loads the
// configuration (configFlags), builds the rooms, calls them, and hands their
// results to report.
//
// What a file, a policy or an answer means is decided in the rooms; here is decided
// what was asked for, in which order they are called, and with which code it ends.
// Errors come back as values; tell puts them into words.
package cli

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"buzon/agent/internal/client"
	"buzon/agent/internal/config"
	"buzon/agent/internal/locale"
	"buzon/agent/internal/send/journal"
)

// commands is the table of subcommands, in the order of the help.
var commands = []func(*app) *cobra.Command{
	newRun,
	newUpload,
	newStatus,
	newRetry,
	newCheck,
	newAuditPolicy,
	newReceipts,
	newConfig,
	newVersion,
	newCompletion,
}

// app is what every command needs of its surroundings.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	args           []string // of the command line
	words          *locale.Printer
	log            *slog.Logger    // made once, before the command runs
	fileLog        *slog.Logger    // gets a line for each file that is sent; nil without --log-files
	secrets        *client.Secrets // what no line of output may hold
	flags          globalFlags
	command        string // that runs, as it is typed after agent
	system         string // as runtime.GOOS
}

// globalFlags are the flags that every command has.
type globalFlags struct {
	lang, logLevel, logFormat, color string

	logFiles bool // of those commands that send
}

// Main runs the command that args name and returns its exit code. env is the
// environment as of os.Environ.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env []string) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, getenv: lookup(env), args: args, secrets: newSecrets(), system: runtime.GOOS}
	a.words = locale.Load(locale.Detect(asked(args, "--lang"), a.getenv)).With("with_config", locale.Raw(""), "with_state", locale.Raw(""), "with_all", locale.Raw(""))
	if a.plainMarks(stdout) {
		a.words = a.words.ASCII()
	}
	a.flags.logFormat = asked(args, "--log-format") // errors about flags are told before they are read
	root := newRoot(a, args)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return int(done)
	}
	var e *exitError
	if !errors.As(err, &e) {
		e = &exitError{code: codeOf(err), err: err}
	}
	if e.err != nil {
		a.tell(e.err)
	}
	return int(e.code)
}

// codeOf is the exit code of an error that carries none: a configuration or a
// journal that can't be used is wrong input.
func codeOf(err error) code {
	var (
		faults  config.Errors
		locked  *journal.LockedError
		damaged *journal.DamagedError
		newer   *journal.NewerError
		older   *journal.OlderError
	)
	if errors.As(err, &faults) || errors.As(err, &locked) || errors.As(err, &damaged) || errors.As(err, &newer) || errors.As(err, &older) {
		return badInput
	}
	return answerNo
}

// newSecrets makes the second line against telling a secret. The test of the
// first line does without it.
var newSecrets = func() *client.Secrets { return &client.Secrets{} }

func lookup(env []string) func(string) string {
	m := make(map[string]string, len(env))
	for _, kv := range env {
		if k, v, ok := strings.Cut(kv, "="); ok {
			m[k] = v
		}
	}
	return func(k string) string { return m[k] }
}

// asked is the value of a flag, looked for before the flags are read, since
// the help and the errors about flags are in that language and form too.
func asked(args []string, flag string) string {
	for i, arg := range args {
		if arg == "--" {
			break
		}
		if v, ok := strings.CutPrefix(arg, flag+"="); ok {
			return v
		}
		if arg == flag && i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}

func newRoot(a *app, args []string) *cobra.Command {
	root := &cobra.Command{
		Use:           "agent",
		Short:         a.words.Text("cli.agent-short"),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          subcommandOnly,
		RunE: func(cmd *cobra.Command, args []string) error {
			if asked, err := cmd.Flags().GetBool("version"); err == nil && asked {
				return runVersion(a, "text")
			}
			return showHelp(cmd, args)
		},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return a.prepare(cmd)
		},
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.flags.lang, "lang", "", a.words.Text("cli.flag-lang"))
	flags.StringVar(&a.flags.logLevel, "log-level", "", a.words.Text("cli.flag-log-level"))
	flags.StringVar(&a.flags.logFormat, "log-format", "text", a.words.Text("cli.flag-log-format"))
	flags.StringVar(&a.flags.color, "color", "auto", a.words.Text("cli.flag-color"))
	flags.BoolP("help", "h", false, a.words.Text("cli.flag-help"))
	root.Flags().Bool("version", false, a.words.Text("cli.flag-version"))
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return flagError(cmd, err, args) })
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { a.help(cmd) })
	for _, construct := range commands {
		root.AddCommand(construct(a))
	}
	root.SetHelpCommand(newHelp(a))
	a.giveExamples(root)
	offerValues(root)
	return root
}

// prepare checks the global flags and makes the logger.
func (a *app) prepare(cmd *cobra.Command) error {
	a.command = strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
	if !worksOn(a.system, cmd) {
		return usage("cli.not-on-this-system", "command", commandOf(cmd))
	}
	if a.flags.lang != "" && !locale.Known(a.flags.lang) {
		return usage("cli.bad-choice", "flag", "--lang", "got", a.flags.lang, "choices", locale.Languages[:])
	}
	if err := choice("--color", a.flags.color, "auto", "always", "never"); err != nil {
		return err
	}
	if err := choice("--log-format", a.flags.logFormat, "text", "json"); err != nil {
		return err
	}
	log, err := a.newLogger(cmd)
	a.log = log
	if a.flags.logFiles {
		a.fileLog = a.newFileLog()
	}
	return err
}

// onWindows are the commands that work there: those that send nothing and open no journal, and those that only tell.
var onWindows = []string{"audit-policy", "receipts verify", "version", "completion", "help"}

// worksOn says whether a command works on a system. What only shows its help does everywhere.
func worksOn(system string, cmd *cobra.Command) bool {
	path := strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
	works := func(name string) bool { return path == name || strings.HasPrefix(path, name+" ") }
	return system != "windows" || cmd.HasSubCommands() || slices.ContainsFunc(onWindows, works)
}

// choice is a usage error unless got is one of the choices.
func choice(flag, got string, choices ...string) error {
	for _, c := range choices {
		if got == c {
			return nil
		}
	}
	return usage("cli.bad-choice", "flag", flag, "got", got, "choices", choices)
}

// commandOf is how a command is typed.
func commandOf(cmd *cobra.Command) locale.Raw { return locale.Raw(cmd.CommandPath()) }

// showHelp is what a command that only has subcommands does.
func showHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }

// subcommandOnly refuses a word that is no subcommand, naming the nearest.
func subcommandOnly(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		if !c.Hidden {
			names = append(names, c.Name())
		}
	}
	if near := config.Nearest(args[0], names); near != "" {
		return usage("cli.unknown-command-near", "command", commandOf(cmd), "got", args[0], "near", near)
	}
	return usage("cli.unknown-command", "command", commandOf(cmd), "got", args[0])
}

// firstWord is the first word of the command line after a command that is no flag, nor the value of one that every
// command has, or "".
func firstWord(cmd *cobra.Command, args []string) string {
	depth := len(strings.Fields(cmd.CommandPath())) - 1
	for i := 0; i < len(args); i++ {
		switch arg := args[i]; {
		case strings.HasPrefix(arg, "-"):
			name, _, joined := strings.Cut(strings.TrimLeft(arg, "-"), "=")
			global := cmd.Root().PersistentFlags().Lookup(name)
			if global == nil && depth == 0 {
				return ""
			}
			if global != nil && !joined && global.NoOptDefVal == "" {
				i++
			}
		case depth == 0:
			return arg
		default:
			depth--
		}
	}
	return ""
}

// noArgs refuses every argument.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("cli.no-arguments", "command", commandOf(cmd), "got", args[0])
	}
	return nil
}

// flagError puts an error about flags into a sentence. args are the command line: a command that is
// misspelt before its flags is told instead of them.
func flagError(cmd *cobra.Command, err error, args []string) error {
	if word := firstWord(cmd, args); word != "" && cmd.HasAvailableSubCommands() {
		if err := subcommandOnly(cmd, []string{word}); err != nil {
			return err
		}
	}
	var (
		unknown *pflag.NotExistError
		missing *pflag.ValueRequiredError
		invalid *pflag.InvalidValueError
	)
	switch {
	case errors.As(err, &unknown):
		got := "--" + unknown.GetSpecifiedName()
		if unknown.GetSpecifiedShortnames() != "" {
			return usage("cli.unknown-flag", "command", commandOf(cmd), "got", "-"+unknown.GetSpecifiedName())
		}
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
		if near := config.Nearest(got, names); near != "" {
			return usage("cli.unknown-flag-near", "command", commandOf(cmd), "got", got, "near", near)
		}
		return usage("cli.unknown-flag", "command", commandOf(cmd), "got", got)
	case errors.As(err, &missing):
		return usage("cli.flag-needs-value", "command", commandOf(cmd), "flag", "--"+missing.GetFlag().Name)
	case errors.As(err, &invalid):
		return usage("cli.bad-flag", "command", commandOf(cmd), "flag", "--"+invalid.GetFlag().Name, "got", invalid.GetValue())
	}
	return usage("cli.bad-flags", "command", commandOf(cmd), "reason", err)
}
