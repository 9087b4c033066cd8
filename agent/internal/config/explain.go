package config

import (
	"fmt"
	"slices"
	"strings"
)

// Explained is a key as a person is told of it. The texts for its meaning and for a default that is
// no value have ids that TextID and ElseID give.
type Explained struct {
	Name    string
	Default string // as it would be written; "" is none
	Want    Want
	Example string // lines of YAML
	Needed  bool   // nothing is sent without it
}

// TextID is the id of what the key means.
func (e Explained) TextID() string { return "config.means-" + textName(e.Name) }

// ElseID is the id of what is in force where the key isn't written and has no default; there may be
// no such text.
func (e Explained) ElseID() string { return "config.else-" + textName(e.Name) }

func textName(key string) string { return strings.NewReplacer(".", "-", "_", "-").Replace(key) }

// examples are values for keys whose default is none, or says little.
var examples = map[string]string{
	"bucket": "acme-uploads", "bucket_owner": `"111122223333"`, "prefix": "uploads/vm-01/", "region": "eu-west-1",
	"endpoint": "https://s3.example.com", "state": "/var/lib/buzon", "object.storage_class": "STANDARD_IA",
	"object.tags": "{ team: billing }", "identity.profile": "default", "identity.expect": "arn:aws:iam::111122223333:user/buzon/vm-01",
	"outboxes.path": "/srv/outbox", "outboxes.include": `["**"]`, "outboxes.exclude": "[]", "outboxes.quiet": "5s", "outboxes.settle": "keep",
	"outboxes.key": `"{path}"`,
}

// outboxWants are what the keys of an outbox take, with their defaults.
var outboxWants = map[string]struct {
	want Want
	def  string
}{
	"path": {WantPath, ""}, "include": {WantGlobs, `["**"]`}, "exclude": {WantGlobs, "[]"}, "quiet": {WantDuration, "5s"},
	"settle": {WantSettle, "keep"}, "key": {WantTemplate, ""},
}

// needed are the keys without which `run` does not begin.
var needed = []string{"bucket", "prefix", "outboxes.path"}

// Explain lists every key in the order of the file.
func Explain() []Explained {
	var list []Explained
	one := func(name, def string, want Want) {
		value := examples[name]
		if value == "" {
			value = quote(def)
		}
		list = append(list, Explained{Name: name, Default: def, Want: want, Example: exampleOf(name, value), Needed: slices.Contains(needed, name)})
	}
	for _, k := range keys {
		one(k.Name, k.Default, k.Want)
		switch k.Name {
		case "state":
			for _, name := range outboxKeys {
				one("outboxes."+name, outboxWants[name].def, outboxWants[name].want)
			}
		case "object.storage_class":
			one("object.tags", "", WantTags)
		}
	}
	return list
}

func exampleOf(name, value string) string {
	section, last, nested := strings.Cut(name, ".")
	switch {
	case !nested:
		return fmt.Sprintf("%s: %s", name, value)
	case section == "outboxes" && last == "path":
		return fmt.Sprintf("outboxes:\n  - path: %s", value)
	case section == "outboxes":
		return fmt.Sprintf("outboxes:\n  - path: %s\n    %s: %s", examples["outboxes.path"], last, value)
	}
	return fmt.Sprintf("%s:\n  %s: %s", section, last, value)
}

// Start is a configuration to begin with: every key with its meaning, commented out where it need not
// be said. explain gives the comment above a key, without marks.
func Start(explain func(Explained) string) string {
	var b strings.Builder
	section := ""
	for _, e := range Explain() {
		head, last, nested := strings.Cut(e.Name, ".")
		indent, mark := "", "# "
		if e.Needed {
			mark = ""
		}
		switch {
		case head == "outboxes":
			indent = "    "
		case nested:
			indent = "  "
		}
		if nested && head != section {
			b.WriteString("\n" + head + ":\n")
		} else if !nested {
			b.WriteByte('\n')
		}
		section = head
		for _, line := range strings.Split(explain(e), "\n") {
			b.WriteString(indent + "# " + line + "\n")
		}
		value := e.Example[strings.LastIndex(e.Example, last+": ")+len(last)+2:]
		if !nested {
			last = head
			value = strings.TrimPrefix(e.Example, head+": ")
		}
		switch e.Name {
		case "bucket":
			value = placeholderText
		case "prefix":
			value = placeholderText + "/"
		case "outboxes.path":
			b.WriteString("  - path: " + value + "\n")
			continue
		}
		b.WriteString(indent + mark + last + ": " + value + "\n")
	}
	return b.String()
}
