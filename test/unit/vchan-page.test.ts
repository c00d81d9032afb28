// The layout of the control page: sizes, orders, grant lists, end marks.
import { expect } from 'chai'
import {
  chooseOrders,
  endMarksOffset,
  grantsFault,
  grantTotal,
  inPageOffset,
  ordersFault,
  RING_BYTES_MAX,
  ringBytes,
} from '../../protocol/vchan-page.js'

describe('vchan page', () => {
  it('picks orders as libxenvchan does', () => {
    const pick = (left: number, right: number): [number, number] => {
      const orders = chooseOrders(left, right)
      return [orders.left, orders.right]
    }
    expect(pick(0, 0)).to.deep.equal([10, 11])
    expect(pick(1024, 2048)).to.deep.equal([10, 11])
    expect(pick(2048, 1024)).to.deep.equal([11, 10])
    expect(pick(1025, 1025)).to.deep.equal([11, 12])
    expect(pick(1024, 2049)).to.deep.equal([11, 12])
    expect(pick(4096, 2048)).to.deep.equal([12, 11])
    expect(pick(4097, 65536)).to.deep.equal([13, 16])
    expect(pick(262_144, 262_144)).to.deep.equal([18, 18])
    expect(pick(RING_BYTES_MAX, RING_BYTES_MAX)).to.deep.equal([20, 20])
  })

  it('refuses sizes that no ring has', () => {
    for (const bytes of [-1, 1.5, Number.NaN, RING_BYTES_MAX + 1]) {
      expect(() => chooseOrders(bytes, 0)).to.throw(RangeError)
      expect(() => chooseOrders(0, bytes)).to.throw(RangeError)
    }
  })

  it('never picks orders that cannot be, and always rings large enough', () => {
    for (let left = 1; left <= RING_BYTES_MAX; left *= 2) {
      for (let right = 1; right <= RING_BYTES_MAX; right *= 2) {
        const orders = chooseOrders(left, right)
        expect(ordersFault(orders)).to.equal(undefined)
        expect(ringBytes(orders.left)).to.be.at.least(left)
        expect(ringBytes(orders.right)).to.be.at.least(right)
      }
    }
  })

  it('I9: a layout is legal exactly when no two things lie on the same bytes', () => {
    for (let left = 8; left <= 22; left++) {
      for (let right = 8; right <= 22; right++) {
        expect(ordersFault({ left, right }) === undefined, `${left}, ${right}`).to.equal(disjoint(left, right))
      }
    }
    expect(ordersFault({ left: 10, right: 20 })).to.match(/overlaps/)
  })

  it('I9: reserved and repeated grant references are refused', () => {
    expect(grantsFault([8, 9, 10])).to.equal(undefined)
    expect(grantsFault([8, 7])).to.match(/reserved/)
    expect(grantsFault([8, 9, 8])).to.match(/twice/)
  })
})

/** The rule from first principles: fields, grant list, end marks and in-page rings share no byte of the page. */
function disjoint(left: number, right: number): boolean {
  if (Math.min(left, right) < 10 || Math.max(left, right) > 20) return false
  const used = new Set<number>()
  const claim = (start: number, bytes: number): boolean => {
    for (let at = start; at < start + bytes; at++) {
      if (at >= 4096 || used.has(at)) return false
      used.add(at)
    }
    return true
  }
  const orders = { left, right }
  const rings = [left, right].filter((order) => order < 12)
  return (
    claim(0, 24 + 4 * grantTotal(orders)) &&
    claim(endMarksOffset(orders), 8) &&
    rings.every((order) => claim(inPageOffset(order)!, ringBytes(order)))
  )
}
