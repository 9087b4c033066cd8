package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"buzon/agent/internal/config"
	"buzon/agent/internal/locale"
)

// serviceUser is the user of the package's service.
const serviceUser = "buzon"

func newConfigSystemd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "systemd",
		Short: a.words.Text("cli.config-systemd-short"),
		Long:  a.words.Text("cli.config-systemd-long"),
		Args:  noArgs,
	}
	f := a.addConfigFlags(cmd, false)
	cmd.RunE = func(*cobra.Command, []string) error {
		c, err := f.load(a, "outboxes")
		if err != nil {
			return err
		}
		return runConfigSystemd(a, c)
	}
	return cmd
}

// runConfigSystemd prints a drop-in for the service: what it needs of the system for the folders of a configuration. The
// commands that give its user the rights stand in it as comments, so that all of it can be written to a file.
func runConfigSystemd(a *app, c *config.Config) error {
	folders := c.Folders()
	for _, f := range folders {
		if !config.InUnit(f.Path) {
			return usage("cli.config-systemd-path", "path", f.Path)
		}
	}
	comment := func(id string) {
		for line := range strings.Lines(locale.Fit(a.words.Text(id), 78)) {
			fmt.Fprintln(a.stdout, strings.TrimRight("# "+line, " \n"))
		}
	}
	comment("cli.config-systemd-rights")
	for _, command := range accessCommands(folders) {
		fmt.Fprintln(a.stdout, "#   sudo "+command)
	}
	fmt.Fprintln(a.stdout)
	lines := config.ServiceLines(folders)
	if len(lines) == 0 {
		comment("cli.config-systemd-nothing")
		return nil
	}
	comment("cli.config-systemd-dropin")
	_, err := fmt.Fprintln(a.stdout, "[Service]\n"+strings.Join(lines, "\n"))
	return err
}

// accessCommands give the service's user the rights that each folder needs, what lies in it and what will be made there
// included, and let it pass through folders above that are closed to others.
func accessCommands(folders []config.Folder) (commands []string) {
	passed := map[string]bool{}
	for _, f := range folders {
		if f.Own {
			if !strings.HasPrefix(f.Path, "/run/") { // the service makes that anew at each start
				commands = append(commands, fmt.Sprintf("install -d -o %s -g %s -m 0700 %s", serviceUser, serviceUser, locale.Shell(f.Path)))
			}
			continue
		}
		for _, above := range closedAbove(f.Path) {
			if !passed[above] {
				passed[above] = true
				commands = append(commands, fmt.Sprintf("setfacl -m u:%s:x %s", serviceUser, locale.Shell(above)))
			}
		}
		rights := "rX"
		if f.Write {
			rights = "rwX"
		}
		commands = append(commands, fmt.Sprintf("setfacl -R -m u:%s:%s,d:u:%s:%s %s", serviceUser, rights, serviceUser, rights, locale.Shell(f.Path)))
	}
	return commands
}

// closedAbove are the folders above a path that not everybody may pass through, from the top.
func closedAbove(path string) (list []string) {
	for dir := filepath.Dir(path); dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o001 == 0 {
			list = append([]string{dir}, list...)
		}
	}
	return list
}
