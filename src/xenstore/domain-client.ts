// The client's requests about domains and about the daemon: most are for domain 0 only, and no part of a rendezvous.
import type { Domid } from '../../protocol/xen.js'
import type { Requester, RequestOptions } from './requester.js'

/** The part of XenstoreClient that a toolstack uses. */
export abstract class DomainClient {
  protected abstract readonly requester: Requester

  /** `/local/domain/<domid>` */
  getDomainPath(domid: Domid, options: RequestOptions = {}): Promise<string> {
    return this.requester.text('GET_DOMAIN_PATH', [String(domid)], options)
  }

  /** Domain 0 only, on C xenstored. */
  async isDomainIntroduced(domid: Domid, options: RequestOptions = {}): Promise<boolean> {
    return (await this.requester.text('IS_DOMAIN_INTRODUCED', [String(domid)], options)) === 'T'
  }

  /** Domain 0 only. `gfn`: the frame of the guest's ring; `port`: its unbound event channel. */
  async introduce(domid: Domid, gfn: number | bigint, port: number, options: RequestOptions = {}): Promise<void> {
    await this.requester.text('INTRODUCE', [String(domid), String(gfn), String(port)], options)
  }

  /** Domain 0 only: the store cuts the domain off, as if it had died. */
  async release(domid: Domid, options: RequestOptions = {}): Promise<void> {
    await this.requester.text('RELEASE', [String(domid)], options)
  }

  /** Domain 0 only: let the domain's next shutdown raise `@releaseDomain` again. */
  async resume(domid: Domid, options: RequestOptions = {}): Promise<void> {
    await this.requester.text('RESUME', [String(domid)], options)
  }

  /** Domain 0 only: give `domid` the rights of `target`. */
  async setTarget(domid: Domid, target: Domid, options: RequestOptions = {}): Promise<void> {
    await this.requester.text('SET_TARGET', [String(domid), String(target)], options)
  }

  /** Domain 0 only: a command to the daemon, and the text it answers with. */
  async control(command: string, ...parameters: string[]): Promise<string> {
    const reply = await this.requester.send('CONTROL', {}, { strings: [command, ...parameters] })
    return reply.toString('latin1').replace(/\0$/, '')
  }

  /** Feature bits (`XENSTORE_FEATURES`) for the caller, or for a domain (domain 0 only). Since Xen 4.21. */
  getFeature(domid?: Domid, options: RequestOptions = {}): Promise<number> {
    return this.requester.number('GET_FEATURE', domid === undefined ? [] : [String(domid)], options)
  }

  /** Domain 0 only, before the domain is introduced. Since Xen 4.21. */
  async setFeature(domid: Domid, features: number, options: RequestOptions = {}): Promise<void> {
    await this.requester.text('SET_FEATURE', [String(domid), String(features)], options)
  }

  /** Domain 0 only: the names of the quotas there are. Since Xen 4.21. */
  async getQuotaNames(options: RequestOptions = {}): Promise<string[]> {
    return (await this.requester.text('GET_QUOTA', [], options)).split(' ')
  }

  /** Domain 0 only: a quota of a domain, or the default for new domains. Since Xen 4.21. */
  getQuota(quota: string, domid?: Domid, options: RequestOptions = {}): Promise<number> {
    return this.requester.number('GET_QUOTA', domid === undefined ? [quota] : [String(domid), quota], options)
  }

  /** Domain 0 only: 0 means no limit. Since Xen 4.21. */
  async setQuota(quota: string, value: number, domid?: Domid, options: RequestOptions = {}): Promise<void> {
    const what = [quota, String(value)]
    await this.requester.text('SET_QUOTA', domid === undefined ? what : [String(domid), ...what], options)
  }
}
