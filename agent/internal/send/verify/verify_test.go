package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
	"github.com/minio/crc64nvme"

	"buzon/agent/internal/client"
	"buzon/agent/internal/send/receipt"
	"buzon/scripts/load/s3server"
)

const (
	inbox  = "inbox"
	prefix = "uploads/vm-01/"
)

// bench is a server, a reader's client, and the receipts that are to be compared.
type bench struct {
	*s3server.Server
	aws      *client.AWS
	receipts list
}

// list is what Run reads.
type list []*receipt.Receipt

func (l *list) Read() (*receipt.Receipt, error) {
	if len(*l) == 0 {
		return nil, io.EOF
	}
	r := (*l)[0]
	*l = (*l)[1:]
	return r, nil
}

func newBench(t *testing.T, o s3server.Options) *bench {
	t.Helper()
	o.Verify = true
	if o.Buckets == nil {
		o.Buckets = []s3server.Bucket{{Name: inbox, Versioned: true}}
	}
	b := &bench{Server: s3server.Start(t, o)}
	for _, pair := range b.Environ(s3server.Admin) {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	aws, err := client.Load(t.Context(), client.Settings{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	b.aws = aws
	return b
}

// sent puts an object and gives its receipt, as the courier would have.
func (b *bench) sent(key, content string) *receipt.Receipt {
	o := b.Put(inbox, prefix+key, []byte(content))
	r := &receipt.Receipt{Bucket: inbox, Key: prefix + key, Size: o.Size, CRC64NVME: receipt.FormatCRC(o.CRC64), ETag: o.ETag,
		VersionID: o.VersionID, Evidence: receipt.Answered, SourcePath: "/out/" + key, SentAt: time.Unix(1_800_000_000+int64(len(b.receipts)), 0)}
	b.receipts = append(b.receipts, r)
	return r
}

func (b *bench) run(t *testing.T) *Result {
	t.Helper()
	got, err := Run(t.Context(), &b.receipts, Options{S3: b.aws.S3})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// lines are the findings in short.
func lines(r *Result) []string {
	var all []string
	for _, f := range r.Findings {
		line := fmt.Sprintf("%s %s", f.Outcome, strings.TrimPrefix(f.Key, prefix))
		if f.Fault.Code != "" {
			line += " " + f.Fault.Code
		}
		all = append(all, line)
	}
	return all
}

func expect(t *testing.T, r *Result, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, lines(r)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestReceiptsThatMatchMakeNoFinding(t *testing.T) {
	for _, versioned := range []bool{true, false} {
		b := newBench(t, s3server.Options{Buckets: []s3server.Bucket{{Name: inbox, Versioned: versioned}}})
		b.sent("a", "one")
		b.sent("empty", "")
		b.sent("b c/ä☕\n%2f+", "two")
		b.sent("no XML holds \x01 and \x1f", "three")
		b.Put(inbox, prefix+".buzon/canary", nil)
		got := b.run(t)
		expect(t, got)
		if got.Receipts != 4 || got.Matched != 4 || got.Confirmed != 0 {
			t.Errorf("%+v", got)
		}
		if want := []Place{{Bucket: inbox, Prefix: prefix, Listing: AllVersions, Objects: 4}}; !cmp.Equal(got.Places, want) {
			t.Errorf("places %+v", got.Places)
		}
	}
}

// TestAKeyThatAListCantSpellIsNoStranger: where the store encodes no keys, XML leaves U+FFFD of what it can't hold.
func TestAKeyThatAListCantSpellIsNoStranger(t *testing.T) {
	for _, versioned := range []bool{true, false} {
		b := newBench(t, s3server.Options{Lacks: []s3server.Lack{s3server.NoEncoding}, Buckets: []s3server.Bucket{{Name: inbox, Versioned: versioned}}})
		b.sent("plain", "one")
		b.sent("ctrl\x01.txt", "two")
		b.sent("back\x08 and \x1f", "three")
		b.sent("two\r\nlines", "four")
		receipts := b.receipts
		got := b.run(t)
		expect(t, got)
		if got.Matched != 4 {
			t.Errorf("%+v", got)
		}
		b.receipts = receipts
		b.Put(inbox, prefix+"ctrl\x02.txt", []byte("of another size"))
		b.Put(inbox, prefix+"\x03", []byte("three"))
		expect(t, b.run(t), "unexpected ctrl\ufffd.txt", "unexpected \ufffd")
	}
	// Where keys are encoded, a key is what it is.
	b := newBench(t, s3server.Options{})
	b.sent("ctrl\x01.txt", "two")
	b.Put(inbox, prefix+"ctrl\ufffd.txt", []byte("two"))
	expect(t, b.run(t), "unexpected ctrl\ufffd.txt")
}

// TestListingsOfManyPagesAreReadToTheEnd has keys whose markers must be decoded before they are sent back.
func TestListingsOfManyPagesAreReadToTheEnd(t *testing.T) {
	for _, denied := range []string{"", "s3:ListBucketVersions"} {
		b := newBench(t, s3server.Options{Allow: without(denied)})
		for i := range 2300 {
			b.sent(fmt.Sprintf("a b+c/%%41/%04d", i), "x")
		}
		b.Put(inbox, prefix+"a b+c/%41/9999", nil)
		got := b.run(t)
		expect(t, got, "unexpected a b+c/%41/9999")
		if got.Matched != 2300 || got.Places[0].Objects != 2301 {
			t.Errorf("%+v", got.Places)
		}
	}
}

func TestMissingDifferingAndUnexpectedObjectsAreFound(t *testing.T) {
	b := newBench(t, s3server.Options{Buckets: []s3server.Bucket{{Name: inbox}}})
	b.sent("kept", "same")
	b.sent("gone", "x")
	b.sent("longer", "x")
	b.sent("other bytes", "abc")
	b.sent("said to be longer", "abc").Size++ // with the right checksum all the same
	b.Remove(inbox, prefix+"gone")
	b.Put(inbox, prefix+"longer", []byte("xx"))
	b.Put(inbox, prefix+"other bytes", []byte("abd"))
	b.Put(inbox, prefix+"stranger", []byte("theirs"))
	b.Put(inbox, "uploads/vm-02/not ours to judge", nil)
	got := b.run(t)
	expect(t, got, "missing gone", "differs longer", "differs other bytes", "differs said to be longer", "unexpected stranger")
	if got.Matched != 1 {
		t.Errorf("matched %d", got.Matched)
	}
	if f := got.Findings[1]; f.Found.Size != 2 || f.Receipt.Size != 1 {
		t.Errorf("%+v", f)
	}
}

// TestAReceiptIsHeldAgainstItsOwnVersion: what was written over it later is another object.
func TestAReceiptIsHeldAgainstItsOwnVersion(t *testing.T) {
	for name, o := range map[string]s3server.Options{
		"by its attributes": {}, "by HEAD": {Allow: without("s3:GetObjectAttributes", "s3:GetObjectVersionAttributes")},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, o)
			b.sent("f", "ours")
			b.Put(inbox, prefix+"f", []byte("theirs, later"))
			got := b.run(t)
			expect(t, got, "unexpected f")
			if got.Matched != 1 || got.Findings[0].VersionID == "" {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestAVersionThatIsGoneIsMissing(t *testing.T) {
	b := newBench(t, s3server.Options{})
	r := b.sent("f", "ours")
	b.Put(inbox, prefix+"f", []byte("ours"))
	if _, err := b.aws.S3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &r.Bucket, Key: &r.Key, VersionId: &r.VersionID}); err != nil {
		t.Fatal(err)
	}
	expect(t, b.run(t), "missing f", "unexpected f")
}

func TestADeleteMarkerOverAReceiptIsFound(t *testing.T) {
	b := newBench(t, s3server.Options{})
	r := b.sent("f", "ours")
	inferred := b.sent("g", "ours")
	inferred.Evidence, inferred.VersionID = receipt.Inferred, ""
	for _, key := range []*string{&r.Key, &inferred.Key} {
		if _, err := b.aws.S3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &r.Bucket, Key: key}); err != nil {
			t.Fatal(err)
		}
	}
	// Without its version id the second receipt has no object any more, and the version under the marker is nobody's.
	expect(t, b.run(t), "hidden f", "missing g", "unexpected g")
}

// TestInferredReceiptsAreConfirmedOrRefuted is the third case of the rule about 412: somebody else's object stood at
// the key, its answer was lost, and the receipt is a guess.
func TestInferredReceiptsAreConfirmedOrRefuted(t *testing.T) {
	b := newBench(t, s3server.Options{})
	for _, key := range []string{"ours", "theirs"} {
		r := b.sent(key, "what was sent")
		r.Evidence, r.VersionID, r.ETag = receipt.Inferred, "", ""
	}
	b.Remove(inbox, prefix+"theirs")
	b.Put(inbox, prefix+"theirs", []byte("what they sent"))
	got := b.run(t)
	expect(t, got, "differs theirs")
	if got.Confirmed != 1 || got.Matched != 1 {
		t.Errorf("%+v", got)
	}
}

func TestWithoutVersionsAnEarlierReceiptIsSuperseded(t *testing.T) {
	b := newBench(t, s3server.Options{Buckets: []s3server.Bucket{{Name: inbox}}})
	b.sent("f", "first")
	b.sent("f", "second")
	got := b.run(t)
	expect(t, got)
	if got.Superseded != 1 || got.Matched != 1 {
		t.Errorf("%+v", got)
	}
	b.sent("f", "third")
	b.receipts[0].SentAt = time.Unix(1, 0)
	b.sent("f", "fourth")
	b.receipts = b.receipts[:1] // and one whose successor is not known
	expect(t, b.run(t), "differs f")
}

func TestWhereNoChecksumIsKeptTheBytesAreRead(t *testing.T) {
	b := newBench(t, s3server.Options{})
	for key, content := range map[string]string{"same": "content", "other": "c0ntent"} {
		r := b.sent(key, "content")
		b.Remove(inbox, r.Key)
		out, err := b.aws.S3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &r.Bucket, Key: &r.Key, Body: strings.NewReader(content), ChecksumAlgorithm: types.ChecksumAlgorithmSha256})
		if err != nil {
			t.Fatal(err)
		}
		r.VersionID = *out.VersionId
	}
	b.Put(inbox, prefix+"same", []byte("another")) // a later version is not what is read
	b.ResetStats()
	got := b.run(t)
	expect(t, got, "differs other", "unexpected same")
	if f := got.Findings[0]; !f.Found.Read || f.Found.CRC64 != crc64nvme.Checksum([]byte("c0ntent")) {
		t.Errorf("%+v", f.Found)
	}
	if n := b.Stats().Ops[s3server.GetObject]; n != 2 {
		t.Errorf("%d objects were read, not 2", n)
	}
}

// A composite checksum is that of the parts' checksums: it tells nothing of the bytes.
func TestACompositeChecksumIsNone(t *testing.T) {
	sum := receipt.FormatCRC(crc64nvme.Checksum([]byte("content")))
	for kind, known := range map[types.ChecksumType]bool{types.ChecksumTypeFullObject: true, "": true, types.ChecksumTypeComposite: false} {
		var o Object
		o.checksum(&sum, kind)
		if o.Known != known {
			t.Errorf("%q: known %v", kind, o.Known)
		}
	}
}

// without allows everything but the given actions.
func without(actions ...string) func(s3server.Identity, string, string, string) bool {
	return func(_ s3server.Identity, action, _, _ string) bool {
		for _, a := range actions {
			if a == action {
				return false
			}
		}
		return true
	}
}

func TestALesserPermissionIsEnough(t *testing.T) {
	b := newBench(t, s3server.Options{Allow: without("s3:GetObjectAttributes", "s3:GetObjectVersionAttributes", "s3:ListBucketVersions")})
	for i := range 40 {
		b.sent(fmt.Sprint("f", i), "x")
	}
	b.Put(inbox, prefix+"stranger", nil)
	got := b.run(t)
	expect(t, got, "unexpected stranger")
	if got.Matched != 40 || got.Places[0].Listing != CurrentOnly {
		t.Errorf("%+v", got)
	}
	if st := b.Stats().Ops; st[s3server.HeadObject] != 40 || st[s3server.GetObjectAttributes] > 16 || st[s3server.GetObject] > 0 {
		t.Errorf("calls %v: a refused call is not made for every object, and no bytes are read where HEAD tells their checksum", st)
	}
}

func TestWhatMayNotBeReadIsNoMatch(t *testing.T) {
	b := newBench(t, s3server.Options{Allow: func(_ s3server.Identity, action, _, key string) bool {
		return !strings.HasSuffix(key, "secret") && !strings.HasPrefix(action, "s3:List")
	}})
	b.sent("secret", "x")
	b.sent("open", "x")
	got := b.run(t)
	expect(t, got, "unread  AccessDenied", "unread secret Forbidden")
	if got.Matched != 1 || got.Places[0].Listing != NotListed {
		t.Errorf("%+v", got)
	}
}

func TestAFaultOfKeyOrBucketEndsEverything(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*bench)
		class  client.Class
	}{
		"deactivated key": {func(b *bench) { b.SetIdentities() }, client.Credential},
		"no such bucket": {func(b *bench) {
			for _, r := range b.receipts {
				r.Bucket = "another"
			}
		}, client.Bucket},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, s3server.Options{})
			for i := range 100 {
				b.sent(fmt.Sprint(i), "x")
			}
			c.change(b)
			_, err := Run(t.Context(), &b.receipts, Options{S3: b.aws.S3, AtOnce: 2})
			var fault *FaultError
			if !errors.As(err, &fault) || fault.Fault.Class != c.class {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAMomentsTroubleIsWaitedOut(t *testing.T) {
	var n atomic.Int64
	b := newBench(t, s3server.Options{Fault: func(c *s3server.Call) s3server.Fault {
		if n.Add(1) <= 2 {
			return s3server.Fault{Name: s3server.Internal}
		}
		return s3server.Fault{}
	}})
	b.sent("f", "x")
	expect(t, b.run(t))
}

func TestABrokenLineEndsTheComparison(t *testing.T) {
	b := newBench(t, s3server.Options{})
	var text bytes.Buffer
	r := b.sent("f", "x")
	r.MTime = r.SentAt
	if err := receipt.NewWriter(&text).Write(r); err != nil {
		t.Fatal(err)
	}
	text.WriteString("{\"schema\":\n")
	_, err := Run(t.Context(), receipt.NewReader(&text), Options{S3: b.aws.S3})
	var fault *receipt.Error
	if !errors.As(err, &fault) || fault.Line != 2 {
		t.Errorf("got %v", err)
	}
}

func TestItEndsWithItsContext(t *testing.T) {
	b := newBench(t, s3server.Options{})
	b.sent("f", "x")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, &b.receipts, Options{S3: b.aws.S3}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestItOnlyReads: no call that could change anything.
func TestItOnlyReads(t *testing.T) {
	b := newBench(t, s3server.Options{})
	b.sent("f", "x")
	b.sent("g", "x")
	b.Remove(inbox, prefix+"g")
	b.ResetStats()
	b.run(t)
	for op := range b.Stats().Ops {
		switch op {
		case s3server.GetObjectAttributes, s3server.HeadObject, s3server.GetObject, s3server.ListObjectVersions, s3server.ListObjects:
		default:
			t.Errorf("it sent %s", op)
		}
	}
}

func TestTheListedFolderIsTheOneThatAllKeysShare(t *testing.T) {
	for _, c := range []struct {
		keys []string
		want string
	}{
		{[]string{"uploads/vm-01/a"}, "uploads/vm-01/"},
		{[]string{"uploads/vm-01/a/x", "uploads/vm-01/b"}, "uploads/vm-01/"},
		{[]string{"uploads/vm-01/a", "uploads/vm-010/a"}, "uploads/"},
		{[]string{"a", "b"}, ""},
		{[]string{"u/a/b", "u/a/"}, "u/a/"},
	} {
		got := common(c.keys[0], c.keys[0])
		for _, k := range c.keys {
			got = common(got, k)
		}
		if got != c.want {
			t.Errorf("%q share %q, want %q", c.keys, got, c.want)
		}
	}
}
