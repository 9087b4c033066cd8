package cli

import (
	"context"
	"os"

	"buzon/agent/internal/client"
	"buzon/agent/internal/config"
)

// watchConfig tells when the content of the configuration is another; "" is never told of, and what can't be read is no
// content.
func watchConfig(ctx context.Context, path string) <-chan struct{} {
	if path == "" {
		return nil
	}
	return client.WatchFiles(ctx, []string{path}, func() (string, bool) {
		text, err := config.ReadAgain(path)
		return string(text), err == nil
	})
}

// merge makes one channel of the two reasons to read the configuration again.
func merge(ctx context.Context, hangup <-chan os.Signal, changed <-chan struct{}) <-chan string {
	out := make(chan string)
	go func() {
		for {
			why := "SIGHUP"
			select {
			case <-ctx.Done():
				return
			case <-hangup:
			case <-changed:
				why = "the file changed"
			}
			select {
			case out <- why:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}
