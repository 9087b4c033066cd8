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
	k := &keys{out: os.Stdout, log: os.Stderr, pace: 500 * time.Millisecond, lang: speak(os.Args[1:], os.Getenv)}
	err := k.run(ctx, os.Args[1:])
	var usage usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.As(err, &usage):
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitUsage)
	default:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitNo)
	}
}

// keys is what every command works with.
type keys struct {
	aws  aws.Config
	iam  *iam.Client
	path string // of the uploaders
	dry  bool
	out  io.Writer // where "-o -" writes to
	log  io.Writer // for people
	lang int       // of the sentences
	// Polling starts at this pace and slows down; tests make it quick.
	pace time.Duration
}

// run reads the arguments and does what they ask. It may be called again on the
// same keys.
func (k *keys) run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return k.misuse("usage")
	}
	flags := flag.NewFlagSet("scripts/"+args[0], flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the errors are said below
	lang := flags.String("lang", languages[k.lang], k.text("flag-lang"))
	flags.StringVar(&k.path, "path", "/buzon/", k.text("flag-path"))
	flags.BoolVar(&k.dry, "dry-run", false, k.text("flag-dry-run"))
	var output string
	writesKey := func() {
		flags.StringVar(&output, "o", "", k.text("flag-o"))
	}

	var do func(name string) error
	most, second := 1, ""
	switch args[0] {
	case "issue-key":
		writesKey()
		do = func(name string) error { return k.issue(ctx, name, output) }
	case "rotate-key":
		writesKey()
		var r rotation
		flags.DurationVar(&r.wait, "wait", 10*time.Minute, k.text("flag-wait"))
		flags.BoolVar(&r.confirmed, "confirmed", false, k.text("flag-confirmed"))
		flags.BoolVar(&r.deleteOld, "delete-old", false, k.text("flag-delete-old"))
		flags.BoolVar(&r.restart, "restart", false, k.text("flag-restart"))
		do = func(name string) error { return k.rotate(ctx, name, output, r) }
	case "revoke-key":
		all := flags.Bool("all", false, k.text("flag-all-keys"))
		most = 2
		do = func(name string) error { return k.revoke(ctx, name, second, *all) }
	case "agent-config":
		stack := flags.String("stack", "Buzon", k.text("flag-stack"))
		dir := flags.String("all", "", k.text("flag-all-configs"))
		do = func(name string) error { return k.agentConfig(ctx, *stack, name, *dir) }
	default:
		return k.misuse("no-command", args[0])
	}
	names, err := parse(flags, args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		k.help(flags)
		return err
	case err != nil:
		return k.misuse("bad-flag", args[0], err)
	case !slices.Contains(languages, *lang):
		return k.misuse("bad-lang", *lang)
	}
	if len(names) > most {
		return k.misuse("one-too-many", args[0], names[most])
	}
	names = append(names, "", "")
	second = names[1]
	k.aws, err = config.LoadDefaultConfig(ctx)
	if err != nil {
		return k.fault("aws-settings", err)
	}
	k.iam = iam.NewFromConfig(k.aws)
	return do(names[0])
}

// help shows the options of a command.
func (k *keys) help(flags *flag.FlagSet) {
	k.say("usage-of", flags.Name())
	flags.VisitAll(func(f *flag.Flag) {
		value, about := flag.UnquoteUsage(f)
		if f.DefValue != "" && f.DefValue != "false" {
			about += " " + k.text("default", f.DefValue)
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
