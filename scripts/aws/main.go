// Command aws starts and stops the local AWS for a person at a shell; the work
// is done by localaws. scripts/aws/start and scripts/aws/stop call it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"buzon/scripts/aws/localaws"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 2 && args[0] == "stop" {
		a, err := localaws.Open(args[1])
		if err != nil {
			return err
		}
		return a.Stop()
	}
	if len(args) == 2 && args[0] == "start" {
		if err := os.MkdirAll(args[1], 0o700); err != nil {
			return fmt.Errorf("make the folder: %w", err)
		}
		a, err := localaws.Start(ctx, args[1], os.Stderr)
		if err != nil {
			return err
		}
		fmt.Printf("The local AWS listens at %s.\nIts settings, the platform's key included:  . %s/env\nTo stop it:  scripts/aws/stop %[2]s\n", a.Endpoint, a.Dir)
		return nil
	}
	return fmt.Errorf("usage: scripts/aws/start DIR | scripts/aws/stop DIR")
}
