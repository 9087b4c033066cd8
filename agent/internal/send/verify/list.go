package verify

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"buzon/agent/internal/client"
)

// What the gate writes, below the prefix: its one small object, and at a store that is not fit what it should have
// refused.
const (
	canary = ".buzon/canary"
	proof  = ".buzon/proof"
)

// isCanary tells the gate's own objects.
func isCanary(key string) bool {
	return key == canary || strings.HasSuffix(key, "/"+canary) || key == proof || strings.HasSuffix(key, "/"+proof)
}

// listAll looks in every bucket that a receipt names for what has none.
func (v *verifier) listAll(ctx context.Context) error {
	for _, bucket := range slices.Sorted(maps.Keys(v.folders)) {
		place := Place{Bucket: bucket, Prefix: v.folders[bucket]}
		if v.Prefix != "" {
			place.Prefix = v.Prefix
		}
		if err := v.list(ctx, &place); err != nil {
			return err
		}
		v.result.Places = append(v.result.Places, place)
	}
	return nil
}

// list lists all versions below a place, or where that may not be done the current objects.
func (v *verifier) list(ctx context.Context, p *Place) error {
	for _, how := range []struct {
		listing Listing
		pages   func(context.Context, *Place) error
	}{{AllVersions, v.versions}, {CurrentOnly, v.objects}} {
		p.Listing, p.Objects = how.listing, 0
		err := how.pages(ctx, p)
		if err == nil {
			return nil
		}
		if err := fatal(ctx, p.Bucket, err); err != nil {
			return err
		}
		f := client.Classify(err)
		first := p.Objects == 0 && how.listing == AllVersions
		if first && (f.Class == client.AccessDenied || unsupported(f)) {
			continue
		}
		p.Listing = NotListed
		v.find(Finding{Outcome: Unread, Bucket: p.Bucket, Fault: f})
		return nil
	}
	return nil
}

// versions lists keys URL-encoded, since XML can't hold every key (S3 API Reference, "ListObjectVersions"). The
// markers are encoded then too, which the SDK's paginator would send back as they are.
func (v *verifier) versions(ctx context.Context, p *Place) error {
	in := &s3.ListObjectVersionsInput{Bucket: &p.Bucket, Prefix: &p.Prefix, EncodingType: types.EncodingTypeUrl}
	for {
		page, err := v.S3.ListObjectVersions(ctx, in, client.Patient)
		if err != nil {
			return err
		}
		encoded := page.EncodingType == types.EncodingTypeUrl
		for _, o := range page.Versions {
			// A receipt without a version id stands for the object that is current, which was compared.
			latest := aws.ToBool(o.IsLatest)
			v.seen(p, keyIn(o.Key, encoded), aws.ToString(o.VersionId), latest, aws.ToInt64(o.Size))
		}
		for _, m := range page.DeleteMarkers {
			if aws.ToBool(m.IsLatest) {
				v.hidden(p, keyIn(m.Key, encoded), aws.ToString(m.VersionId))
			}
		}
		if !aws.ToBool(page.IsTruncated) || page.NextKeyMarker == nil {
			return nil
		}
		in.KeyMarker, in.VersionIdMarker = aws.String(keyIn(page.NextKeyMarker, encoded).text), page.NextVersionIdMarker
	}
}

func (v *verifier) objects(ctx context.Context, p *Place) error {
	pages := s3.NewListObjectsV2Paginator(v.S3, &s3.ListObjectsV2Input{Bucket: &p.Bucket, Prefix: &p.Prefix, EncodingType: types.EncodingTypeUrl})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx, client.Patient)
		if err != nil {
			return err
		}
		for _, o := range page.Contents {
			v.seen(p, keyIn(o.Key, page.EncodingType == types.EncodingTypeUrl), anyVersion, true, aws.ToInt64(o.Size))
		}
	}
	return nil
}

// listedKey is a key of a list. As XML can't hold every character, it is exact only where the list is URL-encoded.
type listedKey struct {
	text  string
	exact bool
}

// keyIn is a key out of a list; one that can't be decoded is left alone.
func keyIn(key *string, encoded bool) listedKey {
	text := aws.ToString(key)
	if !encoded {
		return listedKey{text, false}
	}
	if decoded, err := url.QueryUnescape(text); err == nil {
		text = decoded
	}
	return listedKey{text, true}
}

// hidden judges a delete marker: the objects below it are there, and whoever reads the key doesn't see them. Where
// a receipt has no version id the object is missing for it, which was found already.
func (v *verifier) hidden(p *Place, key listedKey, version string) {
	_, named := v.known[nameOf(p.Bucket, key.text, anyVersion)]
	_, without := v.latest[nameOf(p.Bucket, key.text, "")]
	if !named && !key.exact {
		_, named = v.listed[nameOf(p.Bucket, key.text, anyVersion)]
		_, without = v.listed[nameOf(p.Bucket, key.text, "")]
	}
	if named && !without {
		v.find(Finding{Outcome: Hidden, Bucket: p.Bucket, Key: key.text, VersionID: version})
	}
}

// seen judges one listed object.
func (v *verifier) seen(p *Place, key listedKey, version string, latest bool, size int64) {
	if isCanary(key.text) {
		return
	}
	p.Objects++
	if _, ok := v.known[nameOf(p.Bucket, key.text, version)]; ok {
		return
	}
	if _, ok := v.latest[nameOf(p.Bucket, key.text, "")]; ok && latest {
		return
	}
	if !key.exact && (v.reads(p, key, version, size) || latest && v.reads(p, key, "", size)) {
		return
	}
	if version == anyVersion {
		version = ""
	}
	v.find(Finding{Outcome: Unexpected, Bucket: p.Bucket, Key: key.text, VersionID: version, Found: &Object{Size: size}})
}

// reads says that a receipt's key, which was compared under its own name, reads so in this list.
func (v *verifier) reads(p *Place, key listedKey, version string, size int64) bool {
	want, ok := v.listed[nameOf(p.Bucket, key.text, version)]
	return ok && want == size
}
