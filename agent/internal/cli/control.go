package cli

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"buzon/agent/internal/config"
	"buzon/agent/internal/send/courier"
	"buzon/agent/internal/send/journal"
	"buzon/agent/internal/send/receipt"
	"buzon/agent/internal/serve"
)

// handlers answer on the control socket for whoever holds the journal; current is the courier that runs.
func (a *app) handlers(c *config.Config, j *journal.Journal, current func() *courier.Courier) serve.Handlers {
	return serve.Handlers{
		Log: a.log,
		Status: func() (any, error) {
			s, err := current().Status()
			s.Folder = c.State
			return s, err
		},
		Retry: func(paths []string) (int, error) { return current().Retry(paths) },
		Quarantine: func(ctx context.Context, w io.Writer) error {
			out := json.NewEncoder(w)
			return courier.EachQuarantined(j, func(one courier.Aside) error {
				if err := ctx.Err(); err != nil {
					return err
				}
				return out.Encode(one)
			})
		},
		Receipts: func(ctx context.Context, w io.Writer, since time.Time) error {
			return writeReceipts(ctx, j, since, w)
		},
	}
}

// writeReceipts writes the receipts since a time as lines of JSON.
func writeReceipts(ctx context.Context, j *journal.Journal, since time.Time, out io.Writer) error {
	w := receipt.NewWriter(out)
	return j.Receipts(since, func(r *receipt.Receipt) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return w.Write(r)
	})
}
