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
	k := &keys{out: os.Stdout, log: os.Stderr, pace: 500 * time.Millisecond}
	err := k.run(ctx, os.Args[1:])
	var usage usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.As(err, &usage):
		if usage.text != "" { // else the flags have said it
			fmt.Fprintln(os.Stderr, err)
		}
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
	// Polling starts at this pace and slows down; tests make it quick.
	pace time.Duration
}

func (k *keys) say(format string, args ...any) { fmt.Fprintf(k.log, format+"\n", args...) }

// run reads the arguments and does what they ask. It may be called again on the
// same keys.
func (k *keys) run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return usageError{"usage: keys issue-key|rotate-key|revoke-key|agent-config …"}
	}
	flags := flag.NewFlagSet("scripts/"+args[0], flag.ContinueOnError)
	flags.SetOutput(k.log)
	flags.StringVar(&k.path, "path", "/buzon/", "IAM `path` of the uploaders")
	flags.BoolVar(&k.dry, "dry-run", false, "say what would be done, and do nothing")
	var output string
	writesKey := func() {
		flags.StringVar(&output, "o", "", "credentials `file` to make, or - for a pipe (default NAME.credentials)")
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
		flags.DurationVar(&r.wait, "wait", 10*time.Minute, "how long to wait for the new key's first use; 0 only looks")
		flags.BoolVar(&r.confirmed, "confirmed", false, "the new key is in use on the VM: don't wait to see it")
		flags.BoolVar(&r.deleteOld, "delete-old", false, "delete the old key, once it is inactive")
		flags.BoolVar(&r.restart, "restart", false, "the new key's file was lost: delete that key and make another")
		do = func(name string) error { return k.rotate(ctx, name, output, r) }
	case "revoke-key":
		all := flags.Bool("all", false, "of every uploader under the path")
		most = 2
		do = func(name string) error { return k.revoke(ctx, name, second, *all) }
	case "agent-config":
		stack := flags.String("stack", "Buzon", "`name` of the stack")
		dir := flags.String("all", "", "write a file for every uploader into this `folder`")
		do = func(name string) error { return k.agentConfig(ctx, *stack, name, *dir) }
	default:
		return usageError{fmt.Sprintf("keys: there is no command %q", args[0])}
	}
	names, err := parse(flags, args[1:])
	if err != nil {
		return err
	}
	if len(names) > most {
		return usageError{fmt.Sprintf("scripts/%s: %q is one argument too many", args[0], names[most])}
	}
	names = append(names, "", "")
	second = names[1]
	k.aws, err = config.LoadDefaultConfig(ctx)
	if err != nil {
		return fmt.Errorf("read the AWS settings: %w", err)
	}
	k.iam = iam.NewFromConfig(k.aws)
	return do(names[0])
}

// parse reads flags before and after the name, as people type them.
func parse(flags *flag.FlagSet, args []string) (names []string, err error) {
	for len(args) > 0 {
		if err := flags.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, usageError{}
		}
		if args = flags.Args(); len(args) > 0 {
			names, args = append(names, args[0]), args[1:]
		}
	}
	return names, nil
}
