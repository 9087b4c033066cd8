package config

import (
	"path/filepath"
	"regexp"
	"strings"
)

// awsRegion is how the Regions of AWS are named (AWS General Reference, "Regional endpoints"); other
// stores name theirs as they like.
var awsRegion = regexp.MustCompile(`^[a-z]{2,5}(-[a-z]+)+-[0-9]{1,2}$`)

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
	if c.Region != "" && c.Endpoint == "" && !c.elsewhere && !awsRegion.MatchString(c.Region) {
		code, name := CodeBadValue, "key"
		if c.From("region").Kind == FromFlag {
			code, name = CodeBadFlag, "flag"
		}
		what := "region"
		if code == CodeBadFlag {
			what = c.From("region").Flag
		}
		add(0, "region", code, name, what, "got", c.Region, "want", WantRegion)
	}
	state := place{c.State, real(c.State)}
	boxes, targets := make([]place, len(c.Outboxes)), make([]place, len(c.Outboxes))
	for i, o := range c.Outboxes {
		boxes[i], targets[i] = place{o.Path, real(o.Path)}, place{o.MoveTo, real(o.MoveTo)}
	}
	for i, a := range c.Outboxes {
		for j, b := range c.Outboxes {
			switch {
			case len(faults) >= mostFaults:
				return faults
			case targets[i].in(boxes[j]):
				add(a.Line, "", CodeMoveInside, "target", a.MoveTo, "outbox", b.Path)
			}
			switch {
			case j >= i || a.Path == "" || b.Path == "":
			case boxes[i].in(boxes[j]):
				add(a.Line, "", CodeNested, "a", a.Path, "b", b.Path)
			case boxes[j].in(boxes[i]):
				add(a.Line, "", CodeNested, "a", b.Path, "b", a.Path)
			case mayCollide(a, b):
				add(a.Line, "", CodeSameKey, "a", b.Path, "b", a.Path)
			}
		}
		switch {
		case !state.in(boxes[i]):
		case c.IsSet("state"):
			add(0, "state", CodeStateInside, "state", c.State, "outbox", a.Path)
		default:
			add(a.Line, "", CodeStateInside, "state", c.State, "outbox", a.Path)
		}
	}
	return faults
}

// place is a folder by its name, and without the links that exist today. Without a name it lies nowhere.
type place struct{ name, real string }

// in reports whether a folder is another or lies in it.
func (p place) in(root place) bool {
	return p.name != "" && root.name != "" && (under(p.name, root.name) || under(p.real, root.real))
}

func under(path, root string) bool {
	rel, err := filepath.Rel(root, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// real resolves the links of as much of path as exists.
func real(path string) string {
	if path == "" {
		return ""
	}
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
