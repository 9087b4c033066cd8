package config

import (
	"path/filepath"
	"strconv"
	"time"
)

// Key is one key of the configuration that holds a single value. Those of an
// outbox stand in outboxKeys.
type Key struct {
	Name    string
	Default string // as it would be written; "" is none
	Want    Want

	set func(c *Config, text string) bool // false: not what is wanted
	get func(c *Config) string
}

// keys is the one list of single-valued keys, in the order of the file, from
// which reading, showing and the reference in docs are made.
var keys = []Key{
	stringKey("bucket", "", WantBucket, isBucket, func(c *Config) *string { return &c.Bucket }),
	stringKey("bucket_owner", "", WantAccount, isAccount, func(c *Config) *string { return &c.BucketOwner }),
	{"prefix", "", WantPrefix,
		func(c *Config, s string) bool {
			c.Prefix, c.Whole = s, s == wholeBucket
			if c.Whole {
				c.Prefix = ""
			}
			return c.Whole || isPrefix(s)
		},
		func(c *Config) string {
			if c.Whole {
				return wholeBucket
			}
			return c.Prefix
		}},
	stringKey("region", "", WantRegion, isRegion, func(c *Config) *string { return &c.Region }),
	stringKey("endpoint", "", WantEndpoint, isEndpoint, func(c *Config) *string { return &c.Endpoint }),
	choiceKey("addressing", WantAddressing, func(c *Config) *Addressing { return &c.Addressing }, AddressAuto, AddressPath, AddressVirtual),
	stringKey("state", "", WantPath, filepath.IsAbs, func(c *Config) *string { return &c.State }),
	stringKey("key", "{path}", WantTemplate, func(s string) bool { return CheckTemplate(s) == nil }, func(c *Config) *string { return &c.Key }),
	choiceKey("on_conflict", WantConflict, func(c *Config) *OnConflict { return &c.OnConflict }, ConflictSuffix, ConflictFail, ConflictReplace),
	durationKey("rescan", "5m", time.Second, func(c *Config) *time.Duration { return &c.Rescan }),
	{"tries", "8", WantCount,
		func(c *Config, s string) bool { return setCount(&c.Tries, s, 1, 1000) },
		func(c *Config) string { return strconv.Itoa(c.Tries) }},
	durationKey("retain", "400d", time.Second, func(c *Config) *time.Duration { return &c.Retain }),
	durationKey("shutdown_timeout", "30s", 0, func(c *Config) *time.Duration { return &c.ShutdownTimeout }),
	boolKey("object.metadata", "true", func(c *Config) *bool { return &c.Object.Metadata }),
	stringKey("object.storage_class", "", WantClass, isClass, func(c *Config) *string { return &c.Object.StorageClass }),
	stringKey("identity.profile", "", WantProfile, isProfile, func(c *Config) *string { return &c.Identity.Profile }),
	stringKey("identity.expect", "", WantExpect, isExpect, func(c *Config) *string { return &c.Identity.Expect }),
	choiceKey("identity.method", WantMethod, func(c *Config) *Method { return &c.Identity.Method }, MethodAuto, MethodSTS, MethodListBuckets),
	choiceKey("identity.on_problem", WantProblem, func(c *Config) *OnProblem { return &c.Identity.OnProblem }, ProblemStop, ProblemWait),
	durationKey("identity.patience", "15m", 0, func(c *Config) *time.Duration { return &c.Identity.Patience }),
	choiceKey("identity.overpowered", WantOverpowered, func(c *Config) *Overpowered { return &c.Identity.Overpowered }, OverpoweredRefuse, OverpoweredWarn),
	durationKey("identity.recheck", "1h", time.Second, func(c *Config) *time.Duration { return &c.Identity.Recheck }),
	boolKey("identity.canary", "true", func(c *Config) *bool { return &c.Identity.Canary }),
	boolKey("identity.probes", "true", func(c *Config) *bool { return &c.Identity.Probes }),
	{"limits.transfers", "auto", WantAutoCount,
		func(c *Config, s string) bool {
			if s == "auto" {
				c.Limits.Transfers = 0
				return true
			}
			return setCount(&c.Limits.Transfers, s, 1, MostTransfers)
		},
		func(c *Config) string {
			if c.Limits.Transfers == 0 {
				return "auto"
			}
			return strconv.Itoa(c.Limits.Transfers)
		}},
	{"limits.memory", "64MiB", WantSize,
		func(c *Config, s string) bool { return setSize(&c.Limits.Memory, s, minMemory, 1<<50) },
		func(c *Config) string { return FormatSize(c.Limits.Memory) }},
	{"limits.part_size", "auto", WantPartSize,
		func(c *Config, s string) bool {
			if s == "auto" {
				c.Limits.PartSize = 0
				return true
			}
			return setSize(&c.Limits.PartSize, s, minPart, maxPart)
		},
		func(c *Config) string {
			if c.Limits.PartSize == 0 {
				return "auto"
			}
			return FormatSize(c.Limits.PartSize)
		}},
	{"limits.bandwidth", "0", WantRate,
		func(c *Config, s string) bool {
			rate, ok := ParseRate(s)
			c.Limits.Bandwidth = rate
			return ok
		},
		func(c *Config) string { return FormatSize(c.Limits.Bandwidth) }},
	stringKey("listen", "127.0.0.1:9783", WantListen, isListen, func(c *Config) *string { return &c.Listen }),
}

// wholeBucket is the prefix that means every key.
const wholeBucket = "/"

// MostTransfers is how many files may be sent at once.
const MostTransfers = 256

const (
	minMemory = 16 << 20
	minPart   = 5 << 20 // "Amazon S3 multipart upload limits": 5 MiB to 5 GiB
	maxPart   = 5 << 30
)

// outboxKeys are the keys of an entry of outboxes, in order.
var outboxKeys = []string{"path", "include", "exclude", "quiet", "settle", "key"}

// sections are the mappings that hold keys of the table, and tags.
var sections = []string{"object", "identity", "limits"}

// Keys are the single-valued keys with their defaults, for the reference.
func Keys() []Key { return append([]Key(nil), keys...) }

func stringKey(name, def string, want Want, ok func(string) bool, at func(*Config) *string) Key {
	return Key{name, def, want,
		func(c *Config, s string) bool { *at(c) = s; return s == "" || ok(s) },
		func(c *Config) string { return *at(c) }}
}

func choiceKey[T ~string](name string, want Want, at func(*Config) *T, choices ...T) Key {
	return Key{name, string(choices[0]), want,
		func(c *Config, s string) bool {
			for _, choice := range choices {
				if s == string(choice) {
					*at(c) = choice
					return true
				}
			}
			return false
		},
		func(c *Config) string { return string(*at(c)) }}
}

func durationKey(name, def string, least time.Duration, at func(*Config) *time.Duration) Key {
	return Key{name, def, WantDuration,
		func(c *Config, s string) bool {
			d, ok := ParseDuration(s)
			*at(c) = d
			return ok && d >= least
		},
		func(c *Config) string { return FormatDuration(*at(c)) }}
}

func boolKey(name, def string, at func(*Config) *bool) Key {
	return Key{name, def, WantBool,
		func(c *Config, s string) bool {
			*at(c) = s == "true"
			return s == "true" || s == "false"
		},
		func(c *Config) string { return strconv.FormatBool(*at(c)) }}
}

func setCount(to *int, s string, least, most int) bool {
	n, err := strconv.Atoi(s)
	*to = n
	return err == nil && n >= least && n <= most
}

func setSize(to *int64, s string, least, most int64) bool {
	n, ok := ParseSize(s)
	*to = n
	return ok && n >= least && n <= most
}
