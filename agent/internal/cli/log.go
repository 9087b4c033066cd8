package cli

import (
	"log/slog"
	"strings"
	"time"

	"github.com/lmittmann/tint"
	"github.com/spf13/cobra"
)

// quietCommands log warnings and worse; a command with the annotation logLevel
// names its own level.
const logLevel = "log-level"

// newLogger makes the one logger: to standard error, as text or as JSON, times
// in UTC.
func (a *app) newLogger(cmd *cobra.Command) (*slog.Logger, error) {
	name := a.flags.logLevel
	if name == "" {
		name = cmd.Annotations[logLevel]
	}
	if name == "" {
		name = "warn"
	}
	if err := choice("--log-level", name, "debug", "info", "warn", "error"); err != nil {
		return slog.New(slog.DiscardHandler), err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(strings.ToUpper(name))); err != nil {
		return slog.New(slog.DiscardHandler), err
	}
	utc := func(groups []string, at slog.Attr) slog.Attr {
		if at.Value.Kind() == slog.KindTime {
			at.Value = slog.TimeValue(at.Value.Time().UTC())
		}
		return at
	}
	if a.flags.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(a.stderr, &slog.HandlerOptions{Level: level, ReplaceAttr: utc})), nil
	}
	return slog.New(tint.NewTextHandler(a.stderr, &tint.Options{
		Level: level, TimeFormat: time.RFC3339, NoColor: !a.colorful(a.stderr), ReplaceAttr: utc,
	})), nil
}
