// Command agent sends the files of a folder to an S3 bucket with a key that
// can only write, and proves that the key can do nothing else.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"buzon/agent/internal/cli"
)

func main() {
	cli.Protect()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ()))
}
