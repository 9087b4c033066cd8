package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"buzon/agent/internal/config"
	"buzon/agent/internal/locale"
	"buzon/agent/internal/serve"
)

// configFlags are --config and the flags that are laid over the file. A command
// adds them to its own and calls load.
type configFlags struct {
	cmd  *cobra.Command
	path string
}

// flagMeanings are the ids of what the overlaid flags mean, in their order.
var flagMeanings = []struct{ flag, meaning string }{
	{"bucket", "cli.flag-bucket"},
	{"prefix", "cli.flag-prefix"},
	{"region", "cli.flag-region"},
	{"endpoint", "cli.flag-endpoint"},
	{"state", "cli.flag-state"},
	{"profile", "cli.flag-profile"},
}

// addConfigFlags adds --config and, with overlay, --bucket --prefix --region
// --endpoint --state --profile.
func (a *app) addConfigFlags(cmd *cobra.Command, overlay bool) *configFlags {
	f := &configFlags{cmd: cmd}
	cmd.Flags().StringVar(&f.path, "config", "", a.words.Text("cli.flag-config"))
	if overlay {
		for _, m := range flagMeanings {
			cmd.Flags().String(m.flag, "", a.words.Text(m.meaning))
		}
	}
	return f
}

// addState adds --state alone, for commands that only need the journal.
func (f *configFlags) addState(a *app) {
	f.cmd.Flags().String("state", "", a.words.Text("cli.flag-state"))
}

// given says that a flag was typed.
func (f *configFlags) given(flag string) bool {
	typed := f.cmd.Flags().Lookup(flag)
	return typed != nil && typed.Changed
}

// foreignState puts a state folder of another user into the sentence with the command that works.
func (a *app) foreignState(err error) error {
	var faults config.Errors
	if !errors.As(err, &faults) || len(faults) != 1 || faults[0].Code != config.CodeForeign {
		return err
	}
	for i := 0; i+1 < len(faults[0].Args); i += 2 {
		path, ok := faults[0].Args[i+1].(string)
		if info, err := os.Stat(path); ok && err == nil && info.IsDir() {
			return sentence("cli.other-user", "state", path, "user", ownerOf(info), "command", locale.Raw("agent "+a.command))
		}
	}
	return err
}

// hintFlags are the arguments with which printed commands repeat the flags in use.
func hintFlags(f *configFlags) []any {
	return []any{"with_config", f.used("config"), "with_state", f.used("config", "state"),
		"with_all", f.used("config", "bucket", "prefix", "region", "endpoint", "state", "profile")}
}

// used are those of the flags that were typed, as a command that is printed repeats them.
func (f *configFlags) used(flags ...string) locale.Raw {
	text := ""
	for _, name := range flags {
		if f.given(name) {
			text += " --" + name + " " + locale.Shell(f.cmd.Flags().Lookup(name).Value.String())
		}
	}
	return locale.Raw(text)
}

// load reads the configuration that the flags name; its error ends the command
// with code 2. need are the keys without which the command can't begin.
func (f *configFlags) load(a *app, need ...string) (*config.Config, error) {
	c, err := f.read(a, need...)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// loadForAgent is load for a command that asks an agent. One that runs with an earlier configuration answers though the
// one on disk is faulty; fault, which ends the command with code 2, is then to be told after its answer.
func (f *configFlags) loadForAgent(ctx context.Context, a *app) (c *config.Config, fault, err error) {
	c, err = f.read(a, "state")
	if err != nil && c != nil && c.State != "" && serve.Answers(ctx, c.State, statusLimit) {
		return c, err, nil
	}
	return c, nil, err
}

// read is what load and its error are made of.
func (f *configFlags) read(a *app, need ...string) (*config.Config, error) {
	over := map[string]string{}
	for flag, key := range config.FlagKeys {
		if given := f.cmd.Flags().Lookup(flag); given != nil && given.Changed {
			over[key] = given.Value.String()
			if flag == "state" { // typed in a shell, it means from here
				if abs, err := filepath.Abs(over[key]); err == nil {
					over[key] = abs
				}
			}
		}
	}
	a.words = a.words.With(hintFlags(f)...)
	c, err := config.Load(config.Request{Path: f.path, Flags: over, Getenv: a.getenv, Need: need,
		State: a.command == "check" || slices.Contains(need, "state"), Again: a.command == "run"})
	if err != nil {
		return c, fail(badInput, a.foreignState(err))
	}
	for _, path := range c.Loose {
		a.log.Warn("its group may write it, and so change what is sent", "file", path)
	}
	return c, nil
}
