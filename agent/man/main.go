// Command man writes the manual pages and completions that a package of the agent
// holds: man DIR DATE, the date in RFC 3339. scripts/package calls it; it is no part
// of the agent.
package main

import (
	"fmt"
	"os"
	"time"

	"buzon/agent/internal/cli"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: man DIR DATE")
	}
	date, err := time.Parse(time.RFC3339, args[1])
	if err != nil {
		return fmt.Errorf("the date: %w", err)
	}
	return cli.WriteMan(args[0], date.UTC())
}
