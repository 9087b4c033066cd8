package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"buzon/agent/internal/send/receipt"
	"buzon/scripts/load/s3server"
)

// Receipts may come through a pipe, and a pipe that stands still holds nobody up.
func TestReceiptsComeThroughPipes(t *testing.T) {
	h := newHost(t, s3server.Options{})
	if code, out, errs := h.upload(h.files("out", "a.txt", "b.txt")); code != 0 {
		t.Fatalf("upload: %d\n%s%s", code, out, errs)
	}
	_, receipts, _ := h.run("en", "receipts", "export", "--config", h.file("agent.yaml"))
	if err := os.RemoveAll(h.file("state")); err != nil {
		t.Fatal(err)
	}
	fifo := h.file("fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() { // it opens once somebody reads
		if f, err := os.OpenFile(fifo, os.O_WRONLY, 0); err == nil {
			_, _ = io.WriteString(f, receipts)
			_ = f.Close()
		}
	}()
	if code, out, errs := h.run("en", "receipts", "import", fifo, "--config", h.file("agent.yaml")); code != 0 || !strings.Contains(out, "2 receipts were imported") {
		t.Errorf("through a fifo: %d\n%s%s", code, out, errs)
	}
	for name, args := range map[string][]string{
		"standard input that stands still": {"receipts", "import", "-"},
		"a fifo that nobody writes":        {"receipts", "import", fifo},
		"a fifo of verify":                 {"receipts", "verify", "--receipts", fifo},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond) // as SIGTERM
			defer cancel()
			still, hold := io.Pipe()
			defer hold.Close() //nolint:errcheck // it can't fail
			var out, errs bytes.Buffer
			began := time.Now()
			code := Main(ctx, append(args, "--config", h.file("agent.yaml")), still, &out, &errs, os.Environ())
			if took := time.Since(began); code == 0 || took > 8*time.Second {
				t.Errorf("it ended with %d after %v\n%s", code, took, errs.String())
			}
		})
	}
}

// Receipts are taken in a batch at a time, all of them or none: a fault in the last line changes nothing.
func TestManyReceiptsAreImportedWhollyOrNotAtAll(t *testing.T) {
	h := newHost(t, s3server.Options{})
	h.settings("")
	const n = 9001 // three batches
	var lines strings.Builder
	w := receipt.NewWriter(&lines)
	for i := range n {
		at := time.Unix(1_800_000_000, 0)
		if err := w.Write(&receipt.Receipt{Bucket: inbox, Key: fmt.Sprintf("%sf%d", prefix, i), CRC64NVME: receipt.FormatCRC(uint64(i)), Evidence: receipt.Answered,
			SourcePath: fmt.Sprintf("/out/f%d", i), MTime: at, SentAt: at}); err != nil {
			t.Fatal(err)
		}
	}
	config := h.file("agent.yaml")
	h.write("bad.jsonl", lines.String()+"{}\n", 0o600)
	h.write("good.jsonl", lines.String(), 0o600)
	if code, out, errs := h.run("en", "receipts", "import", h.file("bad.jsonl"), "--config", config); code != 2 || !strings.Contains(errs, ":9002") {
		t.Errorf("%d\n%s%s", code, out, errs)
	}
	if _, err := os.Stat(h.file("state/journal.db")); err == nil {
		t.Error("there is a journal")
	}
	in := strings.NewReader(lines.String())
	var out, errs bytes.Buffer
	if code := Main(t.Context(), []string{"receipts", "import", "-", "--config", config}, in, &out, &errs, os.Environ()); code != 0 || !strings.Contains(out.String(), "9,001 receipts were imported") {
		t.Errorf("%d\n%s%s", code, &out, &errs)
	}
	if code, out, _ := h.run("en", "receipts", "import", h.file("good.jsonl"), "--config", config); code != 0 || !strings.Contains(out, "9,001") || !strings.HasPrefix(out, "0 ") {
		t.Errorf("again: %d\n%s", code, out)
	}
}
