/**
 * A registry with made-up images, for engines that must be able to pull: every repository has the tag `1`, made of one layer of
 * random bytes. `wrong-…` repositories are for another architecture. Arguments: port, bytes of a layer. Prints `ready`.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { gzipSync } from 'node:zlib';
import { tar } from '../../edge-agent/runtime/tar.ts';

interface MadeImage {
  readonly manifest: Buffer;
  readonly blobs: ReadonlyMap<string, Buffer>;
}

const [port = '5000', layerBytes = '1024'] = process.argv.slice(2);
const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
const digestOf = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const images = new Map<string, MadeImage>();

function makeImage(repository: string): MadeImage {
  const archive = Buffer.from(
    tar([{ path: 'content', mode: 0o644, content: randomBytes(Number(layerBytes)) }]),
  );
  const layer = gzipSync(archive);
  const config = Buffer.from(
    JSON.stringify({
      architecture: repository.startsWith('wrong-') ? 's390x' : 'amd64',
      os: 'linux',
      config: { Cmd: ['/content'] },
      rootfs: { type: 'layers', diff_ids: [digestOf(archive)] },
      history: [{ created_by: 'a test' }],
    }),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: {
        mediaType: 'application/vnd.docker.container.image.v1+json',
        size: config.length,
        digest: digestOf(config),
      },
      layers: [
        {
          mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
          size: layer.length,
          digest: digestOf(layer),
        },
      ],
    }),
  );
  return { manifest, blobs: new Map([config, layer].map((blob) => [digestOf(blob), blob])) };
}

const server = createServer((request, response) => {
  const [, repository = '', what = '', name = ''] =
    /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(request.url ?? '') ?? [];
  if (repository === '') {
    response.writeHead(200).end('{}');
    return;
  }
  const image = images.get(repository) ?? makeImage(repository);
  images.set(repository, image);
  const body = what === 'manifests' ? image.manifest : image.blobs.get(name);
  if (body === undefined) {
    response.writeHead(404).end();
    return;
  }
  const type = what === 'manifests' ? MANIFEST : 'application/octet-stream';
  response.writeHead(200, {
    'content-type': type,
    'content-length': body.length,
    'docker-content-digest': digestOf(body),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
});
server.listen(Number(port), '127.0.0.1', () => process.stdout.write('ready\n'));
