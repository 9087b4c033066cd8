// Package config reads the agent's configuration: one YAML file, flags laid
// over it, and defaults under it.
//
//	cfg, err := config.Load(config.Request{Path: path, Flags: flags, Getenv: os.Getenv, Need: []string{"bucket"}})
//
// Reading is strict: an unknown key, a wrong unit or a secret is an error with
// file, line, column, what was expected and how to mend it; all faults are
// given at once. Every effective value knows where it came from (From), so "not
// set" and "set to zero" stay apart.
//
// A file is read within bounds of size, depth and time, and one that somebody else
// could change is refused, as is such a state folder. It looks at nothing else that it
// names: whether an outbox exists is for outbox to say, whether the bucket does is for
// gate. It never reads credentials.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Addressing is how a bucket stands in a request's URL.
type Addressing string

// Addressings.
const (
	AddressAuto    Addressing = "auto"
	AddressPath    Addressing = "path"
	AddressVirtual Addressing = "virtual"
)

// OnConflict is what happens when another object stands at a file's key.
type OnConflict string

// What may be done about a conflict.
const (
	ConflictSuffix  OnConflict = "suffix"
	ConflictFail    OnConflict = "fail"
	ConflictReplace OnConflict = "replace"
)

// Settle is what happens to a file whose receipt is durable.
type Settle string

// Ways to settle.
const (
	SettleKeep   Settle = "keep"
	SettleDelete Settle = "delete"
	SettleMove   Settle = "move"
)

// Method is how the gate asks whose credentials it holds.
type Method string

// Methods.
const (
	MethodAuto        Method = "auto"
	MethodSTS         Method = "sts"
	MethodListBuckets Method = "list-buckets"
)

// OnProblem is what a gate that is not passed leads to.
type OnProblem string

// Ends of a gate that is not passed.
const (
	ProblemStop OnProblem = "stop"
	ProblemWait OnProblem = "wait"
)

// Overpowered is what is done with a key that can do more than write.
type Overpowered string

// Answers to a key that can do more than write.
const (
	OverpoweredRefuse Overpowered = "refuse"
	OverpoweredWarn   Overpowered = "warn"
)

// Config is the effective configuration. Sizes are bytes, rates bytes in a
// second.
type Config struct {
	Bucket          string
	BucketOwner     string // the file's, else the account of Identity.Expect, else ""
	Prefix          string // ends in a slash; "" is the whole bucket, or not said
	Whole           bool   // the prefix was said to be the whole bucket
	Region          string // "" means the profile's
	Endpoint        string // "" means AWS
	Addressing      Addressing
	State           string
	Outboxes        []Outbox
	Key             string // the template of outboxes that have none
	OnConflict      OnConflict
	Rescan          time.Duration
	Tries           int
	Retain          time.Duration
	ShutdownTimeout time.Duration
	Object          Object
	Identity        Identity
	Limits          Limits
	Listen          string // "" is off

	// File is the file that was read; "" if there was none.
	File string
	// Loose are the state folder and configuration, where their group may write them.
	Loose []string
	// Searched are the places that were looked at when no file was named.
	Searched []string

	from  map[string]Origin
	tried map[string]bool // written, if not rightly

	elsewhere bool // the environment names another store
}

// Outbox is one folder whose files are to be sent.
type Outbox struct {
	Path     string
	Include  []string
	Exclude  []string // beyond the built-in temporary names
	Quiet    time.Duration
	QuietSet bool // Quiet was written, not defaulted
	Settle   Settle
	MoveTo   string // with SettleMove
	Key      string // its own template, else Config.Key
	Line     int    // of its entry in Config.File; 0 if it has none
}

// Object is what is written with each object.
type Object struct {
	Metadata     bool
	StorageClass string
	Tags         map[string]string
}

// Identity is whose credentials are expected and how they are held to it.
type Identity struct {
	Profile     string // "" means the SDK's own choice
	Expect      string // an ARN; "" means any
	Method      Method
	OnProblem   OnProblem
	Patience    time.Duration
	Overpowered Overpowered
	Recheck     time.Duration
	Canary      bool
	Probes      bool
}

// Limits bound what the agent takes of its host.
type Limits struct {
	Transfers int   // 0 is auto
	Memory    int64 // of buffers
	PartSize  int64 // 0 is auto
	Bandwidth int64 // 0 is without limit
}

// OriginKind is where a value came from.
type OriginKind string

// Origins.
const (
	FromDefault OriginKind = "default"
	FromFile    OriginKind = "file"
	FromFlag    OriginKind = "flag"
	FromExpect  OriginKind = "expect" // bucket_owner, out of identity.expect
)

// Origin is where one value came from.
type Origin struct {
	Kind         OriginKind
	File         string // FromFile
	Line, Column int    // FromFile
	Flag         string // FromFlag, with its dashes
}

// Place is the origin as a person points at it: file:line:column or the flag.
func (o Origin) Place() string {
	switch o.Kind {
	case FromFile:
		return fmt.Sprintf("%s:%d:%d", o.File, o.Line, o.Column)
	case FromFlag:
		return o.Flag
	case FromDefault, FromExpect:
	}
	return ""
}

// From is where the value of a key ("limits.memory") came from.
func (c *Config) From(key string) Origin {
	if o, ok := c.from[key]; ok {
		return o
	}
	return Origin{Kind: FromDefault}
}

// IsSet reports whether a key was written, in the file or as a flag.
func (c *Config) IsSet(key string) bool {
	k := c.From(key).Kind
	return k == FromFile || k == FromFlag
}

// Request says what Load is to read.
type Request struct {
	Path   string              // of --config; "" means the search path
	Flags  map[string]string   // key → value as typed: "bucket", "prefix", "identity.profile", …
	Getenv func(string) string // for HOME, XDG_CONFIG_HOME and XDG_STATE_HOME
	Search func() []string     // nil means SearchPath(Getenv)
	Need   []string            // keys without which nothing can begin
	State  bool                // the state folder is used
	Again  bool                // it will be read again, while the agent runs
}

// FlagKeys are the keys that have a flag, by the flag's name.
var FlagKeys = map[string]string{
	"bucket":   "bucket",
	"prefix":   "prefix",
	"region":   "region",
	"endpoint": "endpoint",
	"state":    "state",
	"profile":  "identity.profile",
}

// SearchPath is where a configuration is looked for when none is named: in
// /etc/buzon (or where systemd puts it, $CONFIGURATION_DIRECTORY), then in the
// user's own folder.
func SearchPath(getenv func(string) string) []string {
	etc := "/etc/buzon"
	if dir := systemdFolder(getenv("CONFIGURATION_DIRECTORY")); dir != "" {
		etc = dir
	}
	paths := []string{filepath.Join(etc, "agent.yaml")}
	if dir := getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return append(paths, filepath.Join(dir, "buzon", "agent.yaml"))
	}
	if home := getenv("HOME"); home != "" {
		paths = append(paths, filepath.Join(home, ".config", "buzon", "agent.yaml"))
	}
	return paths
}

// systemdFolder is the first of the folders that a unit was given (systemd.exec,
// "RuntimeDirectory=" and its siblings), or "".
func systemdFolder(list string) string {
	first, _, _ := strings.Cut(list, ":")
	if !filepath.IsAbs(first) {
		return ""
	}
	return first
}

// Load reads the file, lays the flags over it and fills in the defaults. With
// no file anywhere it goes on with flags and defaults alone; a file that was
// named must exist. The error is Errors: every fault found. The configuration that
// comes with it is for nothing but finding, by its State, an agent that runs with
// an earlier one.
func Load(r Request) (*Config, error) {
	if r.Getenv == nil {
		r.Getenv = func(string) string { return "" }
	}
	c := &Config{from: map[string]Origin{}, tried: map[string]bool{}}
	c.elsewhere = r.Getenv("AWS_ENDPOINT_URL") != "" || r.Getenv("AWS_ENDPOINT_URL_S3") != ""
	var faults Errors
	paths := []string{r.Path}
	if r.Path == "" {
		paths = SearchPath(r.Getenv)
		c.Searched = paths
	}
	for _, path := range paths {
		data, info, err := readFile(path, r.Again)
		if errors.Is(err, fs.ErrNotExist) && r.Path == "" {
			continue
		}
		if err != nil {
			return c.broken(r), Errors{fileError(path, err)}
		}
		c.File = path
		if info.Mode().IsRegular() {
			fault, loose := trust(info)
			if fault != "" {
				return nil, Errors{{File: path, Code: fault, Args: []any{"path", path}}}
			}
			if loose {
				c.Loose = append(c.Loose, path)
			}
		}
		faults = append(faults, c.read(path, data)...)
		if slices.ContainsFunc(faults, func(e *Error) bool { return unparsed[e.Code] }) {
			c.stateIn(data)
			return c.broken(r), faults // nothing of it is known, so nothing is missing
		}
		break
	}
	faults = append(faults, c.overlay(r.Flags)...)
	c.defaults(r.Getenv)
	faults = append(faults, c.check()...)
	if r.State && c.State != "" {
		if fault := c.settleState(); fault != nil {
			faults = append(faults, fault)
		}
	}
	missing := c.missing(r.Need)
	if len(missing) > 0 && missing[0].Code == CodeNone {
		return c, missing
	}
	if faults = append(faults, missing...); len(faults) > 0 {
		return c, inOrder(faults)
	}
	return c, nil
}

// broken is what flags and defaults say where the file can't be read.
func (c *Config) broken(r Request) *Config {
	_ = c.overlay(r.Flags) // the file's fault is told
	c.defaults(r.Getenv)
	return c
}

var stateLine = regexp.MustCompile(`(?m)^state:[ \t]+["']?(/[^"'\r\n]*?)["']?[ \t]*(?:#.*)?$`)

// stateIn takes the state folder out of a text that is no YAML.
func (c *Config) stateIn(data []byte) {
	if found := stateLine.FindSubmatch(data); found != nil {
		c.State = string(found[1])
	}
}

// unparsed are the faults of a text that is no YAML.
var unparsed = map[Code]bool{CodeSyntax: true, CodeTab: true}

// inOrder sorts faults by their lines; those without one come last.
func inOrder(faults Errors) Errors {
	slices.SortStableFunc(faults, func(a, b *Error) int {
		switch {
		case (a.Line == 0) != (b.Line == 0):
			return cmp.Compare(b.Line, a.Line)
		case a.Line != b.Line:
			return cmp.Compare(a.Line, b.Line)
		}
		return cmp.Compare(a.Column, b.Column)
	})
	return faults
}

func fileError(path string, err error) *Error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Error{File: path, Code: CodeNoFile, err: err}
	case errors.Is(err, fs.ErrPermission):
		return &Error{File: path, Code: CodeFileDenied, err: err}
	case errors.Is(err, syscall.EISDIR):
		return &Error{File: path, Code: CodeFolder, err: err}
	case errors.Is(err, errNotRegular):
		return &Error{File: path, Code: CodeNotRegular, err: err}
	case errors.Is(err, errTooLarge):
		return &Error{File: path, Code: CodeTooLarge, err: err}
	case errors.Is(err, errSilent):
		return &Error{File: path, Code: CodeSilent, err: err}
	}
	return &Error{File: path, Code: CodeFileUnreadable, Args: []any{"reason", reason(err)}, err: err}
}

func reason(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

// defaults fills in what was not written.
func (c *Config) defaults(getenv func(string) string) {
	for _, k := range keys {
		if _, ok := c.from[k.Name]; !ok && k.Default != "" {
			k.set(c, k.Default)
		}
	}
	if c.State == "" {
		if dir := systemdFolder(getenv("STATE_DIRECTORY")); dir != "" {
			c.State = dir
		} else if dir := getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
			c.State = filepath.Join(dir, "buzon")
		} else if home := getenv("HOME"); home != "" {
			c.State = filepath.Join(home, ".local", "state", "buzon")
		}
	}
	if c.BucketOwner == "" {
		if account := accountOf(c.Identity.Expect); account != "" && !c.IsSet("bucket_owner") {
			c.BucketOwner = account
			c.from["bucket_owner"] = Origin{Kind: FromExpect}
		}
	}
	for i := range c.Outboxes {
		c.Outboxes[i].defaults(c.Key)
	}
}

// DefaultQuiet is how long a file must have been unchanged where the outbox
// says nothing else.
const DefaultQuiet = 5 * time.Second

func (o *Outbox) defaults(key string) {
	if o.Include == nil {
		o.Include = []string{"**"}
	}
	if !o.QuietSet {
		o.Quiet = DefaultQuiet
	}
	if o.Settle == "" {
		o.Settle = SettleKeep
	}
	if o.Key == "" {
		o.Key = key
	}
}

// missing are the faults of those of the keys that have no value, each with its own
// sentence; with neither file nor flags at all the one fault is that there is no
// configuration.
func (c *Config) missing(keys []string) Errors {
	var faults Errors
	for _, k := range keys {
		var empty bool
		code := CodeNeeded
		switch k {
		case "bucket":
			empty = c.Bucket == "" && !c.tried["bucket"]
		case "prefix":
			empty = c.Prefix == "" && !c.Whole && !c.tried["prefix"]
		case "state":
			empty, code = c.State == "" && !c.tried["state"], CodeNeededState
		case "outboxes":
			empty, code = len(c.Outboxes) == 0 && !c.tried["outboxes"], CodeNeededOutboxes
		default:
			panic("config: missing does not know " + k)
		}
		if empty {
			if code == CodeNeeded && c.File != "" {
				code = CodeNeededIn
			}
			faults = append(faults, &Error{File: c.File, Code: code, Args: []any{"key", k}})
		}
	}
	if len(faults) > 0 && c.File == "" && c.Bucket == "" && !c.tried["bucket"] {
		return Errors{{Code: CodeNone, Args: []any{"searched", c.Searched}}}
	}
	return faults
}
