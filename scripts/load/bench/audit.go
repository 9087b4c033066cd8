package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// auditor is a program that looks at one policy in a file.
type auditor struct {
	name string
	look func(b *bench, file string) command
}

// Each is run as its users run it, once for each policy. iam-simulate answers one request, and not whether there is
// any: it is asked one read.
var auditors = []auditor{
	{"agent", func(b *bench, file string) command {
		return command{args: []string{filepath.Join(b.bin, "agent"), "audit-policy", "--identity-policy", file,
			"--principal", "arn:aws:iam::111122223333:user/buzon/vm-01", "--bucket", "acme-uploads", "--prefix", "uploads/vm-01/"}}
	}},
	{"cloudsplaining", func(b *bench, file string) command {
		return command{args: []string{filepath.Join(b.bin, "cloudsplaining"), "scan-policy-file", "--input-file", file}}
	}},
	{"parliament", func(b *bench, file string) command {
		return command{args: []string{filepath.Join(b.bin, "parliament"), "--file", file}}
	}},
	{"iam-simulate", func(b *bench, file string) command {
		return command{args: []string{filepath.Join(b.bin, "iam-simulate"), file}}
	}},
}

// audits lets every auditor that is there look at every policy.
func audits(ctx context.Context, b *bench, l load, _ []peer) error {
	files, err := filepath.Glob("scripts/tools/compare-auditors/policies/*.json")
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no policies: run it in the repository's folder (%w)", err)
	}
	there := slices.DeleteFunc(slices.Clone(auditors), func(a auditor) bool {
		_, err := os.Stat(filepath.Join(b.bin, a.name))
		if err != nil {
			fmt.Fprintf(os.Stderr, "bench: SKIPPED %s: it is not installed (scripts/bench audit installs it)\n", a.name)
		}
		return err != nil
	})
	for round := range b.rounds {
		for _, a := range there {
			sum := Run{Load: l.name, Round: round, Peer: a.name}
			for _, file := range files {
				var one Run
				// A verdict that is no ends with another code than 0; that is no fault here.
				if err := b.measure(ctx, a.look(b, file), &one); err != nil {
					return err
				}
				sum.Wall += one.Wall
				sum.CPU += one.CPU
				sum.Peak, sum.Anon = max(sum.Peak, one.Peak), max(sum.Anon, one.Anon)
			}
			b.add(sum)
		}
	}
	return nil
}
