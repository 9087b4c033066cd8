package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/minio/crc64nvme"

	"buzon/agent/internal/client"
	"buzon/agent/internal/send/receipt"
)

// compare holds one receipt against its object.
func (v *verifier) compare(ctx context.Context, r *receipt.Receipt) error {
	f := Finding{Bucket: r.Bucket, Key: r.Key, VersionID: r.VersionID, Receipt: r}
	found, err := v.object(ctx, r)
	if err == nil && found.Size == r.Size && !found.Known {
		found, err = v.read(ctx, r)
	}
	want, _ := receipt.ParseCRC(r.CRC64NVME) // the reader let only good ones pass
	switch {
	case err != nil:
		if err := fatal(ctx, r.Bucket, err); err != nil {
			return err
		}
		f.Outcome, f.Fault = Unread, client.Classify(err)
		if absent(f.Fault) {
			f.Outcome, f.Fault = Missing, client.Fault{}
		}
	case found.Size != r.Size || found.CRC64 != want:
		f.Outcome, f.Found = Differs, &found
	default:
		v.mu.Lock()
		defer v.mu.Unlock()
		v.result.Matched++
		if r.Evidence == receipt.Inferred {
			v.result.Confirmed++
		}
		return nil
	}
	v.find(f)
	return nil
}

// absent says that there is no such object or version. A HEAD has no code, only its status.
func absent(f client.Fault) bool {
	return f.Code == "NoSuchKey" || f.Code == "NoSuchVersion" || f.Status == http.StatusNotFound && f.Class != client.Bucket
}

// object asks what the bucket says of a receipt's object: by GetObjectAttributes, which needs a permission of its
// own (S3 API Reference, "GetObjectAttributes"), or else by HeadObject with checksum mode.
func (v *verifier) object(ctx context.Context, r *receipt.Receipt) (Object, error) {
	if v.noAttributes.Load() {
		return v.head(ctx, r)
	}
	out, err := v.S3.GetObjectAttributes(ctx, &s3.GetObjectAttributesInput{
		Bucket: &r.Bucket, Key: &r.Key, VersionId: optional(r.VersionID),
		ObjectAttributes: []types.ObjectAttributes{types.ObjectAttributesChecksum, types.ObjectAttributesObjectSize},
	}, client.Patient)
	if err != nil {
		f := client.Classify(err)
		if f.Class != client.AccessDenied && !unsupported(f) {
			return Object{}, err
		}
		// Either the permission or the call is missing: then HEAD succeeds, and is what will be asked from now on.
		o, headErr := v.head(ctx, r)
		if headErr == nil {
			v.noAttributes.Store(true)
		}
		return o, headErr
	}
	if out.ObjectSize == nil {
		return v.head(ctx, r) // a store that answers something else
	}
	o := Object{Size: *out.ObjectSize}
	if c := out.Checksum; c != nil {
		o.checksum(c.ChecksumCRC64NVME, c.ChecksumType)
	}
	return o, nil
}

func (v *verifier) head(ctx context.Context, r *receipt.Receipt) (Object, error) {
	out, err := v.S3.HeadObject(ctx, &s3.HeadObjectInput{
		Bucket: &r.Bucket, Key: &r.Key, VersionId: optional(r.VersionID), ChecksumMode: types.ChecksumModeEnabled,
	}, client.Patient)
	if err != nil {
		return Object{}, err
	}
	o := Object{Size: aws.ToInt64(out.ContentLength)}
	o.checksum(out.ChecksumCRC64NVME, out.ChecksumType)
	return o, nil
}

// checksum takes what a store says; a composite one is that of the parts' checksums and tells nothing of the bytes.
func (o *Object) checksum(text *string, kind types.ChecksumType) {
	if text == nil || kind == types.ChecksumTypeComposite {
		return
	}
	o.CRC64, o.Known = receipt.ParseCRC(*text)
}

// read computes the checksum of the object's own bytes.
func (v *verifier) read(ctx context.Context, r *receipt.Receipt) (Object, error) {
	out, err := v.S3.GetObject(ctx, &s3.GetObjectInput{Bucket: &r.Bucket, Key: &r.Key, VersionId: optional(r.VersionID)}, client.Patient)
	if err != nil {
		return Object{}, err
	}
	h := crc64nvme.New()
	n, err := io.Copy(h, out.Body)
	if err := errors.Join(err, out.Body.Close()); err != nil {
		return Object{}, fmt.Errorf("read object: %w", err)
	}
	return Object{Size: n, CRC64: h.Sum64(), Known: true, Read: true}, nil
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
