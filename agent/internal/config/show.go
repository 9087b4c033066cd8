package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Line is one line of the effective configuration: YAML, and where its value
// came from.
type Line struct {
	Text   string
	Key    string // the full key; "" where the line has no origin of its own
	Origin Origin
	// Excludes marks an outbox's list of excluded names, to which the built-in ones come.
	Excludes bool
}

// Lines are the effective configuration in the order of the file. Joined, they
// are a configuration that reads back as the same.
func (c *Config) Lines() []Line {
	var lines []Line
	add := func(key, format string, args ...any) {
		l := Line{Text: fmt.Sprintf(format, args...), Key: key, Excludes: strings.HasPrefix(format, "    exclude:")}
		if key != "" {
			l.Origin = c.From(key)
		}
		lines = append(lines, l)
	}
	section := ""
	for _, k := range keys {
		head, name, nested := strings.Cut(k.Name, ".")
		if !nested {
			name = head
		} else if head != section {
			section = head
			add("", "%s:", head)
		}
		indent := ""
		if nested {
			indent = "  "
		}
		add(k.Name, "%s%s: %s", indent, name, quote(k.get(c)))
		if k.Name == "state" {
			c.outboxLines(add)
		}
		if k.Name == "object.storage_class" {
			c.tagLines(add)
		}
	}
	return lines
}

func (c *Config) outboxLines(add func(key, format string, args ...any)) {
	if len(c.Outboxes) == 0 {
		add("outboxes", "outboxes: []")
		return
	}
	add("outboxes", "outboxes:")
	for _, o := range c.Outboxes {
		add("", "  - path: %s", quote(o.Path))
		add("", "    include: %s", quoteList(o.Include))
		add("", "    exclude: %s", quoteList(o.Exclude))
		add("", "    quiet: %s", FormatDuration(o.Quiet))
		add("", "    settle: %s", quote(o.Settled()))
		add("", "    key: %s", quote(o.Key))
	}
}

// Settled is how an outbox settles its files, as it is written.
func (o Outbox) Settled() string {
	if o.Settle == SettleMove {
		return "move:" + o.MoveTo
	}
	return string(o.Settle)
}

// Values are the single-valued keys with what is in force, as it is written.
func (c *Config) Values() map[string]string {
	values := make(map[string]string, len(keys))
	for _, k := range keys {
		values[k.Name] = k.get(c)
	}
	return values
}

func (c *Config) tagLines(add func(key, format string, args ...any)) {
	if len(c.Object.Tags) == 0 {
		add("object.tags", "  tags: {}")
		return
	}
	add("object.tags", "  tags:")
	names := make([]string, 0, len(c.Object.Tags))
	for name := range c.Object.Tags {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		add("", "    %s: %s", strconv.Quote(name), strconv.Quote(c.Object.Tags[name]))
	}
}

// quote writes a scalar so that YAML reads it back as the same text.
func quote(s string) string {
	plain := s != "" && !strings.HasSuffix(s, ":") && !strings.Contains(s, ": ")
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '/'
		if !letter && (i == 0 && (r < '0' || r > '9') || !strings.ContainsRune("0123456789._-:+", r)) {
			plain = false
		}
	}
	if plain && len(s) > 11 && strings.Trim(s, "0123456789") == "" {
		plain = false // an account is text, not a number
	}
	if plain {
		return s
	}
	return strconv.Quote(s)
}

func quoteList(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = strconv.Quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
