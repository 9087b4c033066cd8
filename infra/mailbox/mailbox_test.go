package mailbox_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"buzon/infra/mailbox"
)

// An app in a module of its own puts a mailbox into its stack, and what it
// synthesizes is write-only.
func TestAnotherAppEmbedsAMailbox(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED with -short: synthesis takes seconds")
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("SKIPPED: Node.js, in which the CDK runs, is missing")
	}
	dir := t.TempDir()
	run := func(in, name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir, cmd.Env = in, append(os.Environ(), "CDK_OUTDIR="+dir, "CDK_VALIDATION=false", "LC_ALL=C")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	run("example", "go", "run", ".")
	file := filepath.Join(dir, "Intake.template.json")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Resources map[string]struct {
			Type       string
			Properties struct{ UserName string }
		}
	}
	if err := json.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for id, r := range template.Resources {
		count[r.Type]++
		if r.Type == "AWS::S3::Bucket" && !strings.HasPrefix(id, "MailboxBucket") {
			t.Errorf("the bucket is %s: it isn't inside the mailbox", id)
		}
	}
	for kind, want := range map[string]int{"AWS::S3::Bucket": 1, "AWS::S3::BucketPolicy": 1, "AWS::IAM::User": 2, "AWS::Events::EventBus": 1} {
		if count[kind] != want {
			t.Errorf("%d of %s, want %d", count[kind], kind, want)
		}
	}
	run(".", "go", "build", "-o", filepath.Join(dir, "agent"), "buzon/agent")
	said := run(dir, filepath.Join(dir, "agent"), "audit-policy", "--config", os.DevNull, "--template", file, "--path", "/laboratories/")
	if !strings.HasPrefix(said, "write-only") || !strings.Contains(said, "2 principals judged") {
		t.Errorf("the audit says\n%s", said)
	}
}

func TestTheZeroPropsAreRight(t *testing.T) {
	if faults := (mailbox.Props{}).Faults(); len(faults) != 0 {
		t.Errorf("%v", faults)
	}
	p := mailbox.Props{}.WithDefaults()
	if !*p.Versioning || !*p.AppendOnly || !*p.Retain || p.FederatedUsers {
		t.Errorf("a default isn't the safe one: %+v", p)
	}
}

// What can't be is refused before anything is made, with every fault in it.
func TestPropsThatCannotBeAreRefused(t *testing.T) {
	defer func() {
		said := fmt.Sprint(recover())
		for _, want := range []string{"mailbox: ", "bucketName: ", "identity: ", "readers: "} {
			if !strings.Contains(said, want) {
				t.Errorf("it says %q, without %q", said, want)
			}
		}
	}()
	mailbox.New(nil, nil, &mailbox.Props{BucketName: "Acme", Identity: "machine", Readers: []string{"me"}})
}
