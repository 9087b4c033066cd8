package stores

import (
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var (
	all   = flag.Bool("stores.all", os.Getenv("BUZON_STORES") == "all", "tell the story to every store, and not to versitygw alone")
	build = flag.Bool("stores.build", false, "build what is not in the cache")
	write = flag.Bool("stores.write", false, "write the table of docs/*/stores.md")
)

// What is known not to hold at a store, and why; anything else that does not hold fails.
var known = map[string]map[string]string{
	"SeaweedFS": {"long": "its names for versions are longer than the name, and it holds them in 255 bytes"},
	"S3Mock":    {"gate": "it takes a wrong checksum behind a body, and the gate says so"},
}

func TestEveryStoreKeepsWhatFilesNeed(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers, and sends 120 MiB to each")
	}
	agent := filepath.Join(t.TempDir(), "agent")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", agent, "buzon/agent").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	results := map[string]map[string]string{}
	for i, store := range Stores {
		if i > 0 && !*all {
			t.Logf("SKIPPED: %s; scripts/stores tells the story to all", store.Name)
			continue
		}
		t.Run(store.Name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			server, err := store.Start(ctx, t.TempDir(), *build)
			if errors.Is(err, ErrNotBuilt) {
				t.Skipf("SKIPPED: %s %s: %v", store.Name, store.Version, err)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer server.Stop()
			told, err := Tell(ctx, server, agent, t.TempDir(), func(text string) { t.Log(text) })
			if err != nil {
				t.Fatal(err)
			}
			results[store.Name] = told
			for step, result := range told {
				if strings.HasPrefix(result, "no") && known[store.Name][step] == "" {
					t.Errorf("%s: %s", step, result)
				}
			}
		})
	}
	if *write {
		for _, lang := range []string{"en", "es"} {
			if err := writeTable(filepath.Join("..", "..", "..", "docs", lang, "stores.md"), lang, results); err != nil {
				t.Error(err)
			}
		}
	}
}
