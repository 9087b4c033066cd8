package cli

import (
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"buzon/agent/internal/client"
	"buzon/scripts/aws/versitygw"
	"buzon/scripts/load/s3server"
)

// TestTheWholeWayAtAnotherStore goes from the outbox to the proof at a real store that is not AWS's: the gate's
// checks of the store, a single object, parts, a repeat, export and comparison. The only key there is root's, which
// the gate has to see.
func TestTheWholeWayAtAnotherStore(t *testing.T) {
	g := versitygw.ForTest(t) // before the host, whose home has no cache
	h := newHost(t, s3server.Options{})
	for _, pair := range g.Env() {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	aws, err := client.Load(t.Context(), client.Settings{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	name := inbox
	if _, err := aws.S3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_ENDPOINT_URL", "") // which would be STS's too, and this store has none
	dir := h.files("out", "a.txt", "sub/sp ace ☕.txt")
	large, err := os.Create(h.file("out/large"))
	if err != nil {
		t.Fatal(err)
	}
	if err := large.Truncate(40 << 20); err != nil {
		t.Fatal(err)
	}
	if err := large.Close(); err != nil {
		t.Fatal(err)
	}
	store := "endpoint: " + g.Endpoint + "\n"
	h.settings(store)
	if code, out, errs := h.upload(dir); code != 3 || !strings.Contains(out+errs, "can do more than write") {
		t.Fatalf("root's key passed the gate: code %d\n%s%s", code, out, errs)
	}
	h.settings(store + "identity: { overpowered: warn }\n")
	if code, out, errs := h.upload(dir); code != 0 || !strings.Contains(out, "Sent 3 files") {
		t.Fatalf("upload: code %d\n%s%s", code, out, errs)
	}
	if code, out, errs := h.upload(dir); code != 0 || !strings.Contains(out, "nothing to send") {
		t.Fatalf("again: code %d\n%s%s", code, out, errs)
	}
	code, lines, errs := h.run("en", "receipts", "export", "--config", h.file("agent.yaml"))
	if code != 0 || strings.Count(lines, `"evidence":"answered","echoed":true`) != 3 {
		t.Fatalf("export: code %d\n%s%s", code, lines, errs)
	}
	h.write("receipts.jsonl", lines, 0o600)
	code, out, errs := h.run("en", "receipts", "verify", "--receipts", h.file("receipts.jsonl"), "--endpoint", g.Endpoint)
	if code != 0 || !strings.Contains(out, "3 receipts were compared; 3 match.") {
		t.Errorf("verify: code %d\n%s%s", code, out, errs)
	}
}
