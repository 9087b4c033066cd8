// Command infra synthesizes Buzón's stack: the bucket whose slot only takes,
// its guard, and one identity for each uploader.
//
// It is the CDK app behind cdk.json, started by scripts/synth, which then lets
// `agent audit-policy` judge what was synthesized. Settings come from the
// context (cdk.json, or -c KEY=VALUE) and are checked before anything is made.
//
// It makes no access key, takes no secret and reads no account: the templates
// are the same wherever they are synthesized. That a deployed stack still is
// what was synthesized is not promised here; `agent audit-policy --compare`
// looks at that.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"buzon/infra/mailbox"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

func main() {
	err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	// jsii waits twice for its process, and now and then tells that the second time
	// there was none: of no use to anybody, and without an end of its line.
	if nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		os.Stderr = nowhere
	}
	jsii.Close()
	if err != nil {
		os.Exit(1)
	}
}

func run() error {
	app := awscdk.NewApp(nil)
	context, ok := app.Node().GetAllContext(nil).(map[string]any)
	if !ok {
		return fmt.Errorf("read the context: the app got none")
	}
	settings, err := ParseSettings(context)
	if err != nil {
		return err
	}
	if err := settings.readable(); err != nil {
		return err
	}
	gone, err := settings.leaving(*app.Outdir())
	if err != nil {
		return err
	}
	stacks := NewStacks(app, settings)
	app.Synth(nil)
	for _, w := range settings.warnings(gone) {
		fmt.Fprintln(os.Stderr, "Warning:", w)
	}
	if len(settings.Uploaders) == 0 {
		if stacks, err = synthSomebody(context, settings, filepath.Join(*app.Outdir(), "somebody")); err != nil {
			return err
		}
	}
	return writeQuestion(*app.Outdir(), stacks, &settings)
}

// readable holds the file that the auditor will be given against what it must be, so
// that the error names the setting.
func (s *Settings) readable() error {
	if s.BoundaryFile == "" {
		return nil
	}
	text, err := os.ReadFile(s.BoundaryFile)
	if err == nil && !json.Valid(text) {
		err = fmt.Errorf("%s is no JSON", s.BoundaryFile)
	}
	if err != nil {
		return fault("permissionsBoundaryFile", "%w", err)
	}
	return nil
}

// synthSomebody synthesizes the same stacks with one uploader into a folder that
// the CDK command line never looks into: an auditor can only judge somebody.
func synthSomebody(context map[string]any, s Settings, dir string) ([]awscdk.Stack, error) {
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("clear what was judged last: %w", err)
	}
	app := awscdk.NewApp(&awscdk.AppProps{Context: &context, Outdir: &dir})
	s.Uploaders = []string{"somebody"}
	stacks := NewStacks(app, s)
	app.Synth(nil)
	return stacks, nil
}

// questionFile holds what the auditor is asked about the templates in or under
// its folder: the arguments of `agent audit-policy`, one a line, for scripts/synth.
const questionFile = "audit-policy.args"

// confirmedFile holds what the setting "confirm" says, one a line, for
// scripts/keys.
const confirmedFile = "confirmed"

func writeQuestion(dir string, stacks []awscdk.Stack, s *Settings) error {
	// Not what an agent of this very host is set to.
	args := []string{"--config", os.DevNull, "--path", s.Path}
	if s.Encryption == mailbox.EncryptionKMS {
		// The one statement by which the contract widens with a key; what else it
		// says of them, the tests of this package pin.
		args = append(args, "--allow", "kms:Decrypt", "--allow", "kms:GenerateDataKey")
	}
	if s.PermissionsBoundary != "" {
		args = append(args, "--managed-policy", s.PermissionsBoundary+"="+s.BoundaryFile)
	}
	for _, stack := range stacks {
		args = append(args, "--template", filepath.Join(*awscdk.App_Of(stack).Outdir(), *stack.TemplateFile()))
	}
	text := strings.Join(args, "\n") + "\n"
	if err := os.WriteFile(filepath.Join(dir, questionFile), []byte(text), 0o644); err != nil {
		return fmt.Errorf("write what the auditor is asked: %w", err)
	}
	// What scripts/keys asks before a deploy that would lose something.
	text = strings.Join(append(s.Confirm, ""), "\n")
	if err := os.WriteFile(filepath.Join(dir, confirmedFile), []byte(text), 0o644); err != nil {
		return fmt.Errorf("write what is confirmed: %w", err)
	}
	return nil
}
