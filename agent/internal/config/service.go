package config

import (
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Folder is a folder that the agent uses, with what it does there.
type Folder struct {
	Path  string
	Write bool // files are moved or deleted there, or made
	Own   bool // it is the agent's alone
}

// Folders are the outboxes, the targets of `move:`, and what else was put somewhere: the state folder and the socket's.
func (c *Config) Folders() []Folder {
	var list []Folder
	add := func(f Folder) {
		if i := slices.IndexFunc(list, func(g Folder) bool { return g.Path == f.Path }); i >= 0 {
			list[i].Write = list[i].Write || f.Write
			return
		}
		list = append(list, f)
	}
	for _, o := range c.Outboxes {
		add(Folder{Path: o.Path, Write: o.Settle != SettleKeep})
	}
	for _, o := range c.Outboxes {
		if o.MoveTo != "" {
			add(Folder{Path: o.MoveTo, Write: true})
		}
	}
	if c.IsSet("state") {
		add(Folder{Path: c.State, Write: true, Own: true})
	}
	if socket, ok := strings.CutPrefix(c.Listen, "unix:"); ok {
		add(Folder{Path: filepath.Dir(filepath.Clean(socket)), Write: true, Own: true})
	}
	return list
}

// hidden are the folders of which the service sees nothing (ProtectHome=yes, PrivateTmp=yes); what is to be seen below
// them is bound into its view.
var hidden = []string{"/home", "/root", "/run/user", "/tmp", "/var/tmp"}

// made are the folders that the service's file makes and opens itself.
var made = []string{"/var/lib/buzon", "/run/buzon"}

// homes are those of the hidden that are homes.
const homes = 3

// ServiceLines are the lines of a drop-in for the service: what it may write, and what it sees that is hidden else.
func ServiceLines(folders []Folder) (lines []string) {
	home := false
	for _, f := range folders {
		if slices.ContainsFunc(made, func(dir string) bool { return under(f.Path, dir) }) {
			continue
		}
		at := slices.IndexFunc(hidden, func(dir string) bool { return under(f.Path, dir) })
		home = home || at >= 0 && at < homes
		switch {
		case at >= 0 && f.Write:
			lines = append(lines, "BindPaths="+unitPath(strings.ReplaceAll(f.Path, ":", `\:`)))
		case at >= 0:
			lines = append(lines, "BindReadOnlyPaths="+unitPath(strings.ReplaceAll(f.Path, ":", `\:`)))
		case f.Write:
			lines = append(lines, "ReadWritePaths="+unitPath(f.Path))
		}
	}
	if home {
		lines = append([]string{"ProtectHome=tmpfs"}, lines...)
	}
	return lines
}

// unitPath writes a path as the value of a unit's setting (systemd.syntax(7), "Quoting"; systemd.unit(5), "Specifiers"):
// with the - before it, a path that isn't there doesn't keep the service from starting.
func unitPath(path string) string {
	text := "-" + strings.ReplaceAll(path, "%", "%%")
	if strings.IndexFunc(text, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`"'\;#`, r) }) < 0 {
		return text
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// InUnit says that a unit can name this path: one that is no UTF-8 or holds line ends and other control characters it
// can't.
func InUnit(path string) bool {
	return utf8.ValidString(path) && strings.IndexFunc(path, unicode.IsControl) < 0
}
