// Command keys is the program behind scripts/issue-key, rotate-key, revoke-key
// and agent-config. It runs with the platform team's credentials, never on a
// VM.
//
// A secret goes to exactly one place, the credentials file or pipe that was
// asked for, and never to the screen, a log or an argument. Whatever is
// interrupted can be run again: each step is decided from what IAM says now,
// and no state is kept in between.
//
// It makes no users and no policies; `cdk deploy` does.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"buzon/scripts/words"
)

// Exit codes, as the agent's: the answer is no; wrong usage.
const (
	exitNo    = 1
	exitUsage = 2
)

// usageError is a fault of how the program was called.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A pipe that nobody reads any more must be an error of the write, after which
	// the key is deleted, and not the end of this program.
	signal.Ignore(syscall.SIGPIPE)
	k := &keys{out: os.Stdout, log: words.Screen(os.Stderr, os.Getenv), pace: 500 * time.Millisecond, lang: speak(os.Args[1:], os.Getenv)}
	err := k.run(ctx, os.Args[1:])
	var usage usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.As(err, &usage):
		fmt.Fprintln(k.log, err)
		os.Exit(exitUsage)
	default:
		fmt.Fprintln(k.log, err)
		if id := remedy(err); id != "" {
			k.say(id)
		}
		os.Exit(exitNo)
	}
}

// keys is what every command works with.
type keys struct {
	aws    aws.Config
	iam    *iam.Client
	path   string // of the uploaders
	dry    bool
	out    io.Writer // where "-o -" writes to
	log    io.Writer // for people
	lang   string    // of the sentences
	script string    // the command, as it is typed after scripts/
	// Polling starts at this pace and slows down; tests make it quick.
	pace time.Duration
}

// command is one of the scripts.
type command struct {
	most int // arguments beside the flags
	// flags declares its flags and gives what it does, once they are read.
	flags func(*keys, *flag.FlagSet) func(ctx context.Context, names [2]string) error
}

// commands are the scripts by their names. Their usage and purpose are the
// sentences "usage-NAME".
var commands = map[string]command{
	"issue-key": {1, func(k *keys, f *flag.FlagSet) func(context.Context, [2]string) error {
		output := k.outputFlag(f)
		return func(ctx context.Context, names [2]string) error { return k.issue(ctx, names[0], *output) }
	}},
	"rotate-key": {1, func(k *keys, f *flag.FlagSet) func(context.Context, [2]string) error {
		output := k.outputFlag(f)
		var r rotation
		f.DurationVar(&r.timeout, "timeout", 10*time.Minute, k.text("flag-timeout"))
		f.BoolVar(&r.confirmed, "confirmed", false, k.text("flag-confirmed"))
		f.BoolVar(&r.deleteOld, "delete-old", false, k.text("flag-delete-old"))
		f.BoolVar(&r.restart, "restart", false, k.text("flag-restart"))
		return func(ctx context.Context, names [2]string) error { return k.rotate(ctx, names[0], *output, r) }
	}},
	"revoke-key": {2, func(k *keys, f *flag.FlagSet) func(context.Context, [2]string) error {
		all := f.Bool("all", false, k.text("flag-all-keys"))
		stack := k.stackFlag(f)
		return func(ctx context.Context, names [2]string) error {
			return k.revoke(ctx, names[0], names[1], *all, *stack)
		}
	}},
	"agent-config": {1, func(k *keys, f *flag.FlagSet) func(context.Context, [2]string) error {
		stack := k.stackFlag(f)
		dir := f.String("all", "", k.text("flag-all-configs"))
		return func(ctx context.Context, names [2]string) error { return k.agentConfig(ctx, *stack, names[0], *dir) }
	}},
	// What scripts/synth and scripts/cdk call; FOLDER is that of the synthesis.
	"before-deploy": {1, func(k *keys, f *flag.FlagSet) func(context.Context, [2]string) error {
		return func(ctx context.Context, names [2]string) error { return k.beforeDeploy(ctx, names[0], k.dry) }
	}},
	"before-destroy": {2, func(k *keys, f *flag.FlagSet) func(context.Context, [2]string) error {
		return func(ctx context.Context, names [2]string) error { return k.beforeDestroy(ctx, names[0], names[1]) }
	}},
	"after-destroy": {1, func(k *keys, f *flag.FlagSet) func(context.Context, [2]string) error {
		return func(ctx context.Context, names [2]string) error { return k.afterDestroy(ctx, names[0]) }
	}},
}

func (k *keys) outputFlag(f *flag.FlagSet) *string { return f.String("o", "", k.text("flag-o")) }

func (k *keys) stackFlag(f *flag.FlagSet) *string {
	return f.String("stack", "Buzon", k.text("flag-stack"))
}

// run reads the arguments and does what they ask. It may be called again on the
// same keys.
func (k *keys) run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return k.misuse("usage")
	}
	k.script = args[0]
	c, ok := commands[k.script]
	if !ok {
		return k.misuse("no-command", "command", k.script)
	}
	flags := flag.NewFlagSet("scripts/"+k.script, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the errors are said below
	lang := flags.String("lang", cmp.Or(k.lang, words.Languages[0]), k.text("flag-lang"))
	flags.StringVar(&k.path, "path", "/buzon/", k.text("flag-path"))
	flags.BoolVar(&k.dry, "dry-run", false, k.text("flag-dry-run"))
	do := c.flags(k, flags)
	given, err := parse(flags, args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		k.help(flags)
		return err
	case err != nil:
		return k.misuse("bad-flag", "script", k.script, "fault", k.flagFault(err))
	case !slices.Contains(words.Languages, *lang):
		return k.misuse("bad-lang", "lang", *lang)
	}
	if len(given) > c.most {
		return k.misuse("one-too-many", "script", k.script, "argument", given[c.most])
	}
	k.aws, err = config.LoadDefaultConfig(ctx, config.WithSharedConfigProfile(os.Getenv("BUZON_CDK_PROFILE")))
	if err != nil {
		return k.fault("aws-settings", "error", err)
	}
	k.iam = iam.NewFromConfig(k.aws)
	var names [2]string
	copy(names[:], given)
	return do(ctx, names)
}

// flagFault says in the reader's language what package flag says in English.
func (k *keys) flagFault(err error) string {
	if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); ok {
		return k.text("no-flag", "flag", name)
	}
	if name, ok := strings.CutPrefix(err.Error(), "flag needs an argument: -"); ok {
		return k.text("flag-needs", "flag", name)
	}
	return "« " + err.Error() + " »"
}

// help shows the options of a command.
func (k *keys) help(flags *flag.FlagSet) {
	usage := "usage-" + k.script
	k.say(usage)
	k.say("options")
	flags.VisitAll(func(f *flag.Flag) {
		value, about := flag.UnquoteUsage(f)
		if f.DefValue != "" && f.DefValue != "false" {
			about += " " + k.text("default", "value", f.DefValue)
		}
		dashes := "--"
		if len(f.Name) == 1 {
			dashes = "-"
		}
		fmt.Fprintln(k.log, strings.TrimRight("  "+dashes+f.Name+" "+value, " ")+"\n        "+about)
	})
}

// parse reads flags before and after the name, as people type them.
func parse(flags *flag.FlagSet, args []string) (names []string, err error) {
	for len(args) > 0 {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		if args = flags.Args(); len(args) > 0 {
			names, args = append(names, args[0]), args[1:]
		}
	}
	return names, nil
}
