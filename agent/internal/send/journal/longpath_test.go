package journal

import (
	"strings"
	"testing"

	"buzon/agent/internal/send/receipt"
)

// TestAPathOfAnyLengthIsKept: what the file system holds, the journal holds; and nothing of it keeps others from being.
func TestAPathOfAnyLengthIsKept(t *testing.T) {
	j, err := Open(t.TempDir(), Options{})
	must(t, err)
	defer j.Close() //nolint:errcheck // the test is over
	route, err := j.Route(Route{Bucket: "b", Prefix: "p/", Outbox: "/out"})
	must(t, err)
	var list []*Entry
	var paths []string
	for _, n := range []int{1, longPath - 1, longPath, longPath + 1, 32_000, 32_768, 33_000, 200_000} {
		for _, end := range []string{"a", "b"} {
			e := sample(route, n)
			e.Path = strings.Repeat("z", n-1) + end
			list, paths = append(list, e), append(paths, e.Path)
		}
	}
	must(t, j.Add(list))
	marks, err := j.Marks(route, paths, nil)
	must(t, err)
	for i, m := range marks {
		if m.Seq != list[i].Seq || m.Seq == 0 {
			t.Errorf("the path of %d bytes is entry %d, want %d", len(paths[i]), m.Seq, list[i].Seq)
		}
		e, err := j.Get(m.Seq)
		must(t, err)
		if e.Path != paths[i] {
			t.Errorf("the path of %d bytes is kept as another", len(paths[i]))
		}
	}
	for _, e := range list {
		must(t, j.Forget(e))
	}
	marks, err = j.Marks(route, paths, marks)
	must(t, err)
	for i, m := range marks {
		if m.Seq != 0 {
			t.Errorf("the path of %d bytes is not forgotten", len(paths[i]))
		}
	}
	must(t, j.Check())
}

// TestAReceiptOfALongPathIsImported: likewise, and one with a key that no store takes is refused without harm.
func TestAReceiptOfALongPathIsImported(t *testing.T) {
	j, err := Open(t.TempDir(), Options{})
	must(t, err)
	defer j.Close() //nolint:errcheck // the test is over
	long := &receipt.Receipt{Bucket: "b", Key: "p/a", Size: 1, CRC64NVME: receipt.FormatCRC(1), Evidence: receipt.Answered, SourcePath: "/" + strings.Repeat("z", 100_000)}
	n, err := j.Import([]*receipt.Receipt{long})
	if err != nil || n != 1 {
		t.Fatalf("%d, %v", n, err)
	}
	e, err := j.Imported("b", long.SourcePath, Identity{Size: 1, Sec: long.MTime.Unix()})
	if err != nil || e == nil {
		t.Errorf("it is not found: %+v, %v", e, err)
	}
	odd := &receipt.Receipt{Bucket: "b", Key: strings.Repeat("k", 100_000), Size: 1, CRC64NVME: receipt.FormatCRC(1), Evidence: receipt.Answered, SourcePath: "/x"}
	if _, err := j.Import([]*receipt.Receipt{odd}); err == nil {
		t.Error("a key of 100 kB is taken")
	}
	if j.Trouble() != nil {
		t.Errorf("it broke the journal: %v", j.Trouble())
	}
	must(t, j.Check())
}
