package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"
)

// TestJourneyOfARealTree sends Go's own source tree, names and sizes of all
// kinds, and one file that travels in parts, with a key that the script issued
// and the configuration that the script wrote; then it reads every object with
// the platform's key and holds its bytes against the disk.
func TestJourneyOfARealTree(t *testing.T) {
	w := open(t)
	dir := t.TempDir()
	credentials := filepath.Join(dir, "credentials")
	if out, err := w.run(t.Context(), w.aws.Env(), "scripts/issue-key", forJourney, "-o", credentials); err != nil {
		t.Fatalf("issue-key: %v\n%s", err, out)
	}
	config := w.agentConfig(t, forJourney, dir)
	vm := []string{"AWS_SHARED_CREDENTIALS_FILE=" + credentials}

	root, err := w.run(t.Context(), nil, "go", "env", "GOROOT")
	if err != nil {
		t.Fatalf("go env: %v\n%s", err, root)
	}
	tree := filepath.Join(strings.TrimSpace(root), "src")
	large := filepath.Join(dir, "large file é.bin") // above the multipart threshold, and not of whole parts
	writeNoise(t, large, 40<<20+12345)
	odd := filepath.Join(dir, "odd")
	wantOdd := writeOddNames(t, odd)

	stdout, stderr, code := w.runAgent(t, append(w.aws.ClientEnv(), vm...), "upload", "--config", config, "--format", "json", tree, odd, large)
	if code != 0 {
		t.Fatalf("agent upload: exit code %d\n%s%s", code, stdout, stderr)
	}
	var sent struct {
		Sent struct{ Files, Bytes int64 }
	}
	if err := json.Unmarshal([]byte(stdout), &sent); err != nil {
		t.Fatalf("%v in %s", err, stdout)
	}

	want := treeFiles(t, tree)
	if len(want) < 5000 {
		t.Fatalf("%s holds only %d files: this is no source tree of Go", tree, len(want))
	}
	maps.Copy(want, wantOdd)
	want[filepath.Base(large)] = large
	if sent.Sent.Files != int64(len(want)) {
		t.Errorf("the agent says that it sent %d files, want %d", sent.Sent.Files, len(want))
	}
	w.compare(t, "uploads/"+forJourney+"/", want)

	// A second time there is nothing left to send, and nothing in the bucket changes.
	before := w.versions(t, "uploads/"+forJourney+"/")
	stdout, stderr, code = w.runAgent(t, append(w.aws.ClientEnv(), vm...), "upload", "--config", config, "--format", "json", tree, odd, large)
	if code != 0 {
		t.Fatalf("agent upload again: exit code %d\n%s%s", code, stdout, stderr)
	}
	if err := json.Unmarshal([]byte(stdout), &sent); err != nil || sent.Sent.Files != 0 {
		t.Errorf("the second time: %v, %s", err, stdout)
	}
	if after := w.versions(t, "uploads/"+forJourney+"/"); after != before {
		t.Errorf("the bucket held %d versions, and %d after nothing was sent", before, after)
	}
}

// agentConfig is what scripts/agent-config makes for an uploader, with its
// state in dir, which here is the VM.
func (w *world) agentConfig(t *testing.T, name, dir string) string {
	t.Helper()
	text, err := w.run(t.Context(), w.aws.Env(), "scripts/agent-config", name)
	if err != nil {
		t.Fatalf("agent-config: %v\n%s", err, text)
	}
	outbox := filepath.Join(dir, "outbox")
	if err := os.MkdirAll(outbox, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "agent.yaml")
	here := strings.NewReplacer("/var/lib/buzon", filepath.Join(dir, "state"), "/srv/outbox", outbox)
	if err := os.WriteFile(file, []byte(here.Replace(text)), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// treeFiles are the files of a tree that an agent sends, by their keys: regular
// ones, and none that begins with a dot or that a program has not finished. The
// names are written out here again, apart from the agent's own list.
func treeFiles(t *testing.T, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		left := strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") || name == "lost+found"
		for _, ending := range []string{".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".download", ".swp", ".swo", ".swx"} {
			left = left || strings.HasSuffix(name, ending)
		}
		switch {
		case left && d.IsDir():
			return fs.SkipDir
		case left || !d.Type().IsRegular():
			return nil
		}
		rel, err := filepath.Rel(root, path)
		files[filepath.ToSlash(rel)] = path
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// writeOddNames makes files whose names and sizes are where mistakes are made. A
// name with a line break is not among them: in MiniStack's patterns * stops
// there, and the guard would refuse it.
func writeOddNames(t *testing.T, dir string) map[string]string {
	t.Helper()
	names := []string{
		"plain.txt", "a b/c d.txt", "plus+and%20percent.txt", "ñandú – 漢字 🙂.txt", "quote'and\"double.txt",
		"question?.txt", "hash#.txt", "semi;colon&amp.txt", "back\\slash.txt", "$HOME ${aws:username}.txt",
		"-dash.txt", "UPPER/lower.TXT", "star*.txt", "empty", strings.Repeat("long", 60) + ".txt",
	}
	files := map[string]string{}
	for i, name := range names {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		body := bytes.Repeat([]byte{byte(i)}, i*i*i)
		if name == "empty" {
			body = nil
		}
		if err := os.WriteFile(path, body, 0o600); err != nil {
			t.Fatal(err)
		}
		files[name] = path
	}
	return files
}

// writeNoise makes a file that no compression or repetition could stand in for.
func writeNoise(t *testing.T, path string, size int) {
	t.Helper()
	body := make([]byte, size)
	if _, err := rand.NewChaCha8([32]byte{1}).Read(body); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, body, 0o600); err != nil {
		t.Fatal(err)
	}
}

// compare holds what stands under the prefix against the files: the same keys,
// the canary apart, and the same bytes in each.
func (w *world) compare(t *testing.T, prefix string, want map[string]string) {
	t.Helper()
	var keys []string
	pages := s3.NewListObjectsV2Paginator(w.s3, &s3.ListObjectsV2Input{Bucket: &w.bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			if rel := strings.TrimPrefix(aws.ToString(o.Key), prefix); !strings.HasPrefix(rel, ".buzon/") {
				keys = append(keys, rel)
			}
		}
	}
	missing := maps.Clone(want)
	// The server ends a connection after some thousand requests; only reading is
	// tried again.
	reader := s3.NewFromConfig(w.config, func(o *s3.Options) { o.RetryMaxAttempts = 5 })
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(8)
	for _, key := range keys {
		path, known := want[key]
		if !known {
			t.Errorf("the bucket holds %q, which was not to be sent", key)
			continue
		}
		delete(missing, key)
		group.Go(func() error { return w.same(ctx, reader, prefix+key, path) })
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	if names := slices.Sorted(maps.Keys(missing)); len(names) > 0 {
		t.Errorf("%d files are not in the bucket, such as %q", len(names), names[:min(len(names), 5)])
	}
}

// same is an error unless an object's bytes are the file's.
func (w *world) same(ctx context.Context, reader *s3.Client, key, path string) error {
	sum, n, err := w.content(ctx, reader, key)
	for range 2 { // the SDK tries a request again, but not a body whose connection the server ended
		if err != nil {
			sum, n, err = w.content(ctx, reader, key)
		}
	}
	if err != nil {
		return fmt.Errorf("get %q: %w", key, err)
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	here := sha256.New()
	m, err := io.Copy(here, file)
	switch {
	case err != nil:
		return err
	case n != m || !bytes.Equal(sum, here.Sum(nil)):
		return fmt.Errorf("%q: the object's %d bytes are not the file's %d", key, n, m)
	}
	return nil
}

// content reads an object once: its SHA-256 and its bytes' number.
func (w *world) content(ctx context.Context, reader *s3.Client, key string) (sum []byte, n int64, err error) {
	got, err := reader.GetObject(ctx, &s3.GetObjectInput{Bucket: &w.bucket, Key: &key})
	if err != nil {
		return nil, 0, err
	}
	h := sha256.New()
	n, err = io.Copy(h, got.Body)
	return h.Sum(nil), n, errors.Join(err, got.Body.Close())
}

// versions counts every version of every object under the prefix.
func (w *world) versions(t *testing.T, prefix string) int {
	t.Helper()
	n := 0
	pages := s3.NewListObjectVersionsPaginator(w.s3, &s3.ListObjectVersionsInput{Bucket: &w.bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n += len(page.Versions)
	}
	return n
}
