package config

import (
	"path/filepath"
	"strings"
)

// check holds keys against each other.
func (c *Config) check() Errors {
	var faults Errors
	add := func(line int, key string, code Code, args ...any) {
		e := &Error{File: c.File, Line: line, Code: code, Args: args}
		switch o := c.From(key); {
		case key == "":
		case o.Kind == FromFlag:
			e.Flag, e.File = o.Flag, ""
		default:
			e.Line, e.Column = o.Line, o.Column
		}
		if e.Line > 0 && e.Column == 0 {
			e.Column = 1
		}
		faults = append(faults, e)
	}
	for i, a := range c.Outboxes {
		for _, b := range c.Outboxes[:i] {
			switch {
			case inside(a.Path, b.Path):
				add(a.Line, "", CodeNested, "a", a.Path, "b", b.Path)
			case inside(b.Path, a.Path):
				add(a.Line, "", CodeNested, "a", b.Path, "b", a.Path)
			case mayCollide(a, b):
				add(a.Line, "", CodeSameKey, "a", b.Path, "b", a.Path)
			}
		}
		if c.State != "" && inside(c.State, a.Path) {
			if c.IsSet("state") {
				add(0, "state", CodeStateInside, "state", c.State, "outbox", a.Path)
			} else {
				add(a.Line, "", CodeStateInside, "state", c.State, "outbox", a.Path)
			}
		}
	}
	for _, a := range c.Outboxes {
		for _, b := range c.Outboxes {
			if a.Settle == SettleMove && inside(a.MoveTo, b.Path) {
				add(a.Line, "", CodeMoveInside, "target", a.MoveTo, "outbox", b.Path)
			}
		}
	}
	return faults
}

// inside reports whether path is root or lies in it, by name or through links
// that exist today.
func inside(path, root string) bool {
	return under(path, root) || under(real(path), real(root))
}

func under(path, root string) bool {
	rel, err := filepath.Rel(root, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// real resolves the links of as much of path as exists.
func real(path string) string {
	rest := ""
	for p := filepath.Clean(path); ; p = filepath.Dir(p) {
		if r, err := filepath.EvalSymlinks(p); err == nil {
			return filepath.Join(r, rest)
		}
		if p == filepath.Dir(p) {
			return path
		}
		rest = filepath.Join(filepath.Base(p), rest)
	}
}
