package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"buzon/agent/internal/config"
	"buzon/agent/internal/locale"
	"buzon/agent/internal/report"
	"buzon/agent/internal/send/outbox"
)

func newConfig(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: a.words.Text("cli.config-short"),
		Args:  subcommandOnly,
		RunE:  showHelp,
	}
	cmd.AddCommand(newConfigInit(a), newConfigValidate(a), newConfigShow(a), newConfigExplain(a), newConfigSystemd(a))
	return cmd
}

func newConfigInit(a *app) *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "init",
		Short: a.words.Text("cli.config-init-short"),
		Long:  a.words.Text("cli.config-init-long"),
		Args:  noArgs,
		RunE:  func(*cobra.Command, []string) error { return runConfigInit(a, path) },
	}
	cmd.Flags().StringVar(&path, "config", "", a.words.Text("cli.flag-config-init"))
	return cmd
}

// runConfigInit writes a commented starting configuration; a file that is there
// is never replaced.
func runConfigInit(a *app, path string) error {
	if path == "-" {
		_, err := fmt.Fprint(a.stdout, a.startConfig())
		return err
	}
	if path == "" {
		paths := config.SearchPath(a.getenv)
		path = paths[len(paths)-1]
		if os.Geteuid() == 0 {
			path = paths[0]
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fail(badInput, err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return usage("cli.config-exists", "path", path)
	}
	if err != nil {
		return fail(badInput, err)
	}
	_, err = f.WriteString(a.startConfig())
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	_, err = fmt.Fprintln(a.stdout, a.words.Text("cli.config-written", "path", path))
	return err
}

// startConfig is a configuration to begin with.
func (a *app) startConfig() string {
	return a.words.Text("config.start") + "\n" + config.Start(func(e config.Explained) string {
		text := plainText(a.words.Text(e.TextID()))
		if value := a.defaultOf(e); value != "" {
			text += " (" + a.words.Text("config.start-default", "value", locale.Raw(value)) + ")"
		}
		return locale.Fit(text, 90)
	})
}

// defaultOf is what is in force where a key isn't written; "" where there is nothing.
func (a *app) defaultOf(e config.Explained) string {
	if e.Default == "" && a.words.Has(e.ElseID()) {
		return plainText(a.words.Text(e.ElseID()))
	}
	return e.Default
}

// plainText is a text without the marks that the pages put around code.
func plainText(text string) string { return strings.ReplaceAll(text, "`", "") }

func newConfigExplain(a *app) *cobra.Command {
	var names []string
	for _, e := range config.Explain() {
		names = append(names, e.Name)
	}
	return &cobra.Command{
		Use:       "explain [KEY]",
		Short:     a.words.Text("cli.config-explain-short"),
		Long:      a.words.Text("cli.config-explain-long"),
		ValidArgs: names,
		RunE:      func(_ *cobra.Command, keys []string) error { return runConfigExplain(a, keys) },
	}
}

// runConfigExplain tells what keys mean: all in a line each, or some in full.
func runConfigExplain(a *app, keys []string) error {
	all := config.Explain()
	if len(keys) == 0 {
		rows := make([][2]string, 0, len(all))
		for _, e := range all {
			rows = append(rows, [2]string{e.Name, plainText(a.words.Text(e.TextID()))})
		}
		writeRows(a.stdout, rows, a.width(a.stdout))
		return nil
	}
	for i, key := range keys {
		at := slices.IndexFunc(all, func(e config.Explained) bool { return e.Name == key })
		if at < 0 {
			names := make([]string, len(all))
			for i, e := range all {
				names[i] = e.Name
			}
			if near := config.Nearest(key, names); near != "" {
				return usage("cli.config-explain-near", "key", key, "near", near)
			}
			return usage("cli.config-explain-unknown", "key", key)
		}
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		e := all[at]
		a.report(e.Name + ": " + plainText(a.words.Text(e.TextID())))
		if value := a.defaultOf(e); value != "" {
			a.report(a.words.Text("config.explain-default", "value", locale.Raw(value)))
		}
		a.report(a.words.Text("config.explain-want", "want", e.Want))
		fmt.Fprintf(a.stdout, "%s\n  %s\n", a.words.Text("config.explain-example"), strings.ReplaceAll(e.Example, "\n", "\n  "))
	}
	return nil
}

func newConfigValidate(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "validate",
		Short: a.words.Text("cli.config-validate-short"),
		Long:  a.words.Text("cli.config-validate-long"),
		Args:  noArgs,
	}
	f := a.addConfigFlags(cmd, false)
	cmd.RunE = func(*cobra.Command, []string) error {
		c, err := f.load(a, "bucket", "prefix", "state", "outboxes")
		if err != nil {
			return err
		}
		for _, key := range c.EmptyParts() {
			a.note("check.empty-part", "key", key)
		}
		_, err = fmt.Fprintln(a.stdout, a.words.Text("cli.config-valid", "path", c.File))
		return err
	}
	return cmd
}

func newConfigShow(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show",
		Short: a.words.Text("cli.config-show-short"),
		Long:  a.words.Text("cli.config-show-long"),
		Args:  noArgs,
	}
	var format string
	f := a.addConfigFlags(cmd, true)
	cmd.Flags().StringVar(&format, "format", "text", a.words.Text("cli.check-format"))
	cmd.RunE = func(*cobra.Command, []string) error {
		if err := choice("--format", format, "text", "json"); err != nil {
			return err
		}
		c, err := f.load(a)
		if err != nil {
			return err
		}
		if format == "json" {
			return report.JSON(a.stdout, newConfigJSON(c))
		}
		return showConfig(a, c)
	}
	return cmd
}

// showConfig prints the effective configuration as YAML, each value with a
// comment that says where it came from.
func showConfig(a *app, c *config.Config) error {
	lines := c.Lines()
	width := 0
	for _, l := range lines {
		if n := utf8.RuneCountInString(l.Text); l.Key != "" && n <= 60 {
			width = max(width, n)
		}
	}
	for _, l := range lines {
		var err error
		if l.Key == "" {
			_, err = fmt.Fprintln(a.stdout, l.Text)
		} else {
			_, err = fmt.Fprintf(a.stdout, "%-*s  # %s\n", width, l.Text, origin(a.words, l.Origin))
		}
		if err == nil && l.Excludes {
			_, err = fmt.Fprintf(a.stdout, "    # %s\n", a.words.Text("cli.config-excludes", "patterns", outbox.BuiltinExcludes))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// configJSON is buzon/config/v1: values are as they are written in the file.
type configJSON struct {
	Schema   string               `json:"schema"`
	File     string               `json:"file,omitempty"` // "" without one
	Values   map[string]valueJSON `json:"values"`         // by key: limits.memory
	Tags     map[string]string    `json:"tags"`
	Outboxes []outboxJSON         `json:"outboxes"`
	Excludes []string             `json:"excludes"` // the built-in ones
}

type valueJSON struct {
	Value string `json:"value"`
	From  string `json:"from"`            // default, file, flag, expect
	Place string `json:"place,omitempty"` // file:line:column, or the flag
}

type outboxJSON struct {
	Path    string   `json:"path"`
	Include []string `json:"include"`
	Exclude []string `json:"exclude"`
	Quiet   string   `json:"quiet"`
	Settle  string   `json:"settle"`
	Key     string   `json:"key"`
}

func newConfigJSON(c *config.Config) configJSON {
	j := configJSON{
		Schema: "buzon/config/v1", File: c.File, Values: map[string]valueJSON{}, Tags: map[string]string{}, Outboxes: []outboxJSON{},
		Excludes: outbox.BuiltinExcludes,
	}
	for name, value := range c.Values() {
		from := c.From(name)
		j.Values[name] = valueJSON{Value: value, From: string(from.Kind), Place: from.Place()}
	}
	maps.Copy(j.Tags, c.Object.Tags)
	for _, o := range c.Outboxes {
		j.Outboxes = append(j.Outboxes, outboxJSON{
			Path: o.Path, Include: append([]string{}, o.Include...), Exclude: append([]string{}, o.Exclude...),
			Quiet: config.FormatDuration(o.Quiet), Settle: o.Settled(), Key: o.Key,
		})
	}
	return j
}

func origin(words *locale.Printer, o config.Origin) string {
	switch o.Kind {
	case config.FromFile, config.FromFlag:
		return o.Place()
	case config.FromExpect:
		return words.Text("cli.origin-expect")
	case config.FromDefault:
	}
	return words.Text("cli.origin-default")
}
