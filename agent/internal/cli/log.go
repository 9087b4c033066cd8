package cli

import (
	"log/slog"
	"strings"
	"time"

	"github.com/lmittmann/tint"
	"github.com/spf13/cobra"

	"buzon/agent/internal/client"
)

// logLevel is the annotation with which a command names its own default level;
// without it a command logs warnings and worse.
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
	var handler slog.Handler
	if a.flags.logFormat == "json" {
		handler = slog.NewJSONHandler(a.stderr, &slog.HandlerOptions{Level: level, ReplaceAttr: utcTimes})
	} else {
		handler = tint.NewTextHandler(a.stderr, &tint.Options{
			Level: level, TimeFormat: time.RFC3339, NoColor: !a.colorful(a.stderr), ReplaceAttr: utcTimes,
		})
	}
	return slog.New(client.NewRedactor(handler, a.secrets)), nil
}

// utcTimes writes the times of a log in UTC.
func utcTimes(_ []string, at slog.Attr) slog.Attr {
	if at.Value.Kind() == slog.KindTime {
		at.Value = slog.TimeValue(at.Value.Time().UTC())
	}
	return at
}
