package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"buzon/agent/internal/judge/catalogue"
	"buzon/agent/internal/report"
)

// What a packaged build is, set by its linker flags: its version, its commit, and the
// commit's time in RFC 3339.
var release, commit, date string

// Version is the version of this binary: the release, else the commit that it
// was built from, else "devel".
func Version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return "devel"
}

func newVersion(a *app) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "version",
		Short: a.words.Text("cli.version-short"),
		Args:  noArgs,
		RunE:  func(*cobra.Command, []string) error { return runVersion(a, format) },
	}
	cmd.Flags().StringVar(&format, "format", "text", a.words.Text("cli.check-format"))
	return cmd
}

// versionJSON is buzon/version/v1.
type versionJSON struct {
	Schema    string `json:"schema"`
	Version   string `json:"version"`
	Commit    string `json:"commit,omitempty"`
	Date      string `json:"date,omitempty"` // of the commit
	Modified  bool   `json:"modified"`       // something was changed since
	Catalogue string `json:"catalogue"`      // of actions, by its date
	Go        string `json:"go"`
	System    string `json:"system"`
}

// runVersion tells what this binary is made of.
func runVersion(a *app, format string) error {
	if err := choice("--format", format, "text", "json"); err != nil {
		return err
	}
	v := versionJSON{Schema: "buzon/version/v1", Version: Version(), Catalogue: catalogue.Version(), Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH}
	v.Commit, v.Date = commit, date
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				v.Commit = s.Value
			case "vcs.time":
				v.Date = s.Value
			case "vcs.modified":
				v.Modified = s.Value == "true"
			}
		}
	}
	if format == "json" {
		return report.JSON(a.stdout, v)
	}
	lines := []string{"agent " + v.Version}
	if v.Commit != "" {
		lines = append(lines, strings.TrimSpace("commit "+v.Commit+" "+v.Date))
	}
	lines = append(lines, "catalogue "+v.Catalogue, v.Go+" "+v.System)
	_, err := fmt.Fprintln(a.stdout, strings.Join(lines, "\n"))
	return err
}
