//go:build unix

package verify

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
	"github.com/minio/crc64nvme"

	"buzon/agent/internal/client"
	"buzon/agent/internal/send/receipt"
	"buzon/scripts/aws/localaws"
	"buzon/scripts/aws/versitygw"
)

// TestAtRealServers makes one comparison at each of the other servers: what they answer to GetObjectAttributes, HEAD
// and the listings is theirs.
func TestAtRealServers(t *testing.T) {
	for name, start := range map[string]func(*testing.T) []string{
		"versitygw": func(t *testing.T) []string { return versitygw.ForTest(t).Env() },
		"ministack": func(t *testing.T) []string {
			if testing.Short() {
				t.Skip("SKIPPED with -short: the local AWS takes seconds to start")
			}
			return localaws.ForTest(t).Env()
		},
	} {
		t.Run(name, func(t *testing.T) { compareAt(t, start(t)) })
	}
}

func compareAt(t *testing.T, env []string) {
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	aws, err := client.Load(t.Context(), client.Settings{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	bucket := "receipts"
	if _, err := aws.S3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	_, err = aws.S3.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: &bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
	if err != nil {
		t.Fatal(err)
	}
	put := func(key string, body []byte) *s3.PutObjectOutput {
		out, err := aws.S3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(body), ChecksumAlgorithm: types.ChecksumAlgorithmCrc64nvme})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	var receipts list
	for i, key := range []string{"same", "odd ä☕+%2f", "empty", "gone", "other", "guessed"} {
		body := []byte(key)
		if key == "empty" {
			body = nil
		}
		out := put(prefix+key, body)
		r := &receipt.Receipt{Bucket: bucket, Key: prefix + key, Size: int64(len(body)), CRC64NVME: receipt.FormatCRC(crc64nvme.Checksum(body)),
			ETag: *out.ETag, Evidence: receipt.Answered, SourcePath: "/out/" + key, SentAt: time.Unix(int64(i), 0)}
		if out.VersionId != nil {
			r.VersionID = *out.VersionId
		}
		receipts = append(receipts, r)
	}
	gone, other, guessed := receipts[3], receipts[4], receipts[5]
	if _, err := aws.S3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &bucket, Key: &gone.Key, VersionId: optional(gone.VersionID)}); err != nil {
		t.Fatal(err)
	}
	other.CRC64NVME = receipt.FormatCRC(1)
	guessed.Evidence, guessed.VersionID, guessed.ETag = receipt.Inferred, "", ""
	put(prefix+"stranger", []byte("theirs"))
	put(prefix+".buzon/canary", nil)
	got, err := Run(t.Context(), &receipts, Options{S3: aws.S3})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"missing gone", "differs other", "unexpected stranger"}, lines(got)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if got.Matched != 4 || got.Confirmed != 1 || got.Places[0].Listing != AllVersions {
		t.Errorf("%+v", got)
	}
	t.Log(strconv.FormatInt(got.Receipts, 10) + " receipts compared")
}
